"""Updates on their way in: resume, repeats, lies about digests, full disks."""

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from a_coordinator import MANIFEST, D, until

from coordinator.arrivals import MAX_DAMAGED, Arrivals, Doors
from coordinator.files import StoreFatal, StoreUnavailable
from coordinator.metrics import Metrics
from coordinator.spool import Spool, Upload
from fedtui.errors import CloseCode
from fedtui.rounds.machine import (
    AcceptUpdate,
    Acknowledge,
    CoordinatorEvent,
    RefuseUpdate,
    UpdateArrived,
    UpdateBroken,
    UpdateOpened,
)
from fedtui.wire.bulk import Sink
from fedtui.wire.messages import BulkKind, Open, UpdateHeader

NODE = b"n" * 32
GOOD = np.ones(D, "<f4").tobytes()
NOT_FINITE = np.full(D, np.nan, "<f4").tobytes()
HEADER = UpdateHeader(num_examples=3, sums={})


def digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@dataclass(eq=False)
class FakeLink:
    """The calls that arrivals make on a session."""

    node_id: bytes = NODE
    accepted: list[tuple[int, int]] = field(default_factory=list)
    refused: list[tuple[int, CloseCode, str]] = field(default_factory=list)
    receipts: list[tuple[int, bytes]] = field(default_factory=list)
    closed: list[CloseCode] = field(default_factory=list)
    sink: Sink | None = None

    def accept(self, stream: int, sink: Sink, *, offset: int = 0) -> bool:
        self.accepted.append((stream, offset))
        self.sink = sink
        return True

    def refuse(self, stream: int, code: CloseCode, *, text: str) -> bool:
        self.refused.append((stream, code, text))
        return True

    def receipt(self, stream: int, digest: bytes) -> bool:
        self.receipts.append((stream, digest))
        return True

    def close(
        self, code: CloseCode, text: str, *, retryable: bool = False, retry_after_s: float = 0.0
    ) -> None:
        assert retryable
        self.closed.append(code)


class Bench:
    def __init__(self, folder: Path, *, masked: bool = False) -> None:
        self.events: list[CoordinatorEvent] = []
        self.fatal: list[Exception] = []
        self.spool = Spool(folder, quota_bytes=10 * 4 * D)
        doors = Doors(self.events.append, self.fatal.append)
        self.arrivals = Arrivals(self.spool, MANIFEST, Metrics(), doors, masked=masked)

    def open(
        self,
        link: FakeLink,
        stream: int,
        data: bytes = GOOD,
        claim: bytes = b"",
        *,
        attempt: int = 1,
    ) -> None:
        opening = Open(
            stream=stream,
            kind="masked" if self.arrivals.masked else "update",
            num_bytes=len(data),
            digest=claim or digest(data),
            round=1,
            attempt=attempt,
            update=None if self.arrivals.masked else HEADER,
        )
        self.arrivals.opened(link, opening)  # type: ignore[arg-type]  # what it uses of a link
        event = self.events.pop()
        assert isinstance(event, UpdateOpened)
        assert event.header == opening.update
        self.arrivals.accept(
            AcceptUpdate(link.node_id, stream, 1, attempt, len(data), claim or digest(data))
        )

    async def send(self, link: FakeLink, stream: int, data: bytes = GOOD) -> None:
        await until(lambda: bool(link.accepted) and link.accepted[-1][0] == stream)
        assert link.sink is not None
        link.sink.write(memoryview(data))
        self.arrivals.complete(link, stream)  # type: ignore[arg-type]  # as above

    async def heard(self) -> CoordinatorEvent:
        await until(lambda: bool(self.events))
        return self.events.pop()


async def test_an_update_arrives_and_is_acknowledged_once(tmp_path: Path) -> None:
    bench, link = Bench(tmp_path), FakeLink()
    bench.open(link, 7)
    await bench.send(link, 7)
    assert await bench.heard() == UpdateArrived(NODE, 7, 1, 1, digest(GOOD))
    assert link.receipts == []
    for _ in range(2):
        bench.arrivals.acknowledge(Acknowledge(NODE, 7, digest(GOOD)))
    assert link.receipts == [(7, digest(GOOD))]
    await bench.arrivals.finish()


async def test_S9_a_repeated_update_gets_the_same_receipt_without_its_bytes(
    tmp_path: Path,
) -> None:
    bench, link = Bench(tmp_path), FakeLink()
    bench.arrivals.opened(
        link,  # type: ignore[arg-type]  # what it uses of a link
        Open(
            stream=9,
            kind="update",
            num_bytes=len(GOOD),
            digest=digest(GOOD),
            update=UpdateHeader(num_examples=1, sums={}),
        ),
    )
    bench.arrivals.acknowledge(Acknowledge(NODE, 9, digest(GOOD)))
    assert link.accepted == [(9, len(GOOD))]
    assert link.receipts == [(9, digest(GOOD))]
    await bench.arrivals.finish()


async def test_R10_an_upload_goes_on_where_the_last_session_stopped(tmp_path: Path) -> None:
    bench, first, second = Bench(tmp_path), FakeLink(), FakeLink()
    bench.open(first, 1)
    await until(lambda: bool(first.accepted))
    assert first.sink is not None
    first.sink.write(memoryview(GOOD[:1000]))
    bench.arrivals.closed(first)  # type: ignore[arg-type]  # as above
    bench.open(second, 1)
    await until(lambda: bool(second.accepted))
    assert second.accepted == [(1, 1000)]
    await bench.send(second, 1, GOOD[1000:])
    assert isinstance(await bench.heard(), UpdateArrived)
    await bench.arrivals.finish()


async def test_A1_what_is_not_finite_is_broken(tmp_path: Path) -> None:
    bench, link = Bench(tmp_path), FakeLink()
    bad = np.ones(D, "<f4")
    bad[3] = np.inf
    bench.open(link, 1, bad.tobytes())
    await bench.send(link, 1, bad.tobytes())
    event = await bench.heard()
    assert isinstance(event, UpdateBroken)
    assert "tensor 'w' holds inf" in event.reason
    await bench.arrivals.finish()


async def test_A5_what_no_node_that_cuts_can_send_is_broken(tmp_path: Path) -> None:
    bench, link = Bench(tmp_path), FakeLink()
    bench.arrivals.longest = float(np.linalg.norm(np.ones(D)))
    bench.open(link, 1)
    await bench.send(link, 1)
    assert isinstance(await bench.heard(), UpdateArrived)
    other, long = FakeLink(b"o" * 32), np.full(D, 1.001, "<f4").tobytes()
    bench.open(other, 1, long)
    await bench.send(other, 1, long)
    event = await bench.heard()
    assert isinstance(event, UpdateBroken)
    assert "cut to the plan's update_clip" in event.reason
    await bench.arrivals.finish()


async def test_A2_a_wrong_digest_is_tried_again_and_then_broken(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for _ in range(MAX_DAMAGED - 1):
        link = FakeLink()
        bench.open(link, 1, claim=b"d" * 32)
        await bench.send(link, 1)
        await until(lambda found=link: bool(found.closed))
        assert link.closed == [CloseCode.OVERLOADED]
    link = FakeLink()
    bench.open(link, 1, claim=b"d" * 32)
    await until(lambda: bool(link.accepted))
    assert link.accepted == [(1, 0)]
    await bench.send(link, 1)
    event = await bench.heard()
    assert isinstance(event, UpdateBroken)
    assert names(tmp_path) == []
    await bench.arrivals.finish()


async def test_L5_a_full_disk_ends_the_session_and_keeps_the_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, link = Bench(tmp_path), FakeLink()
    bench.open(link, 1)
    await until(lambda: bool(link.accepted))

    def full(*_: object) -> None:
        raise StoreUnavailable("no space left on device")

    assert link.sink is not None
    with monkeypatch.context() as patch:
        patch.setattr(Upload, "write", full)
        link.sink.write(memoryview(GOOD))
        link.sink.write(memoryview(GOOD))
    await until(lambda: bool(link.closed))
    assert (link.closed, bench.events, bench.fatal) == ([CloseCode.OVERLOADED], [], [])
    await bench.arrivals.finish()


async def test_a_failing_disk_is_told_to_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, link = Bench(tmp_path), FakeLink()
    bench.open(link, 1)
    await until(lambda: bool(link.accepted))

    def failing(*_: object) -> None:
        raise StoreFatal("sync failed")

    monkeypatch.setattr(Upload, "finish", failing)
    await bench.send(link, 1)
    await until(lambda: bool(bench.fatal))
    assert bench.events == []
    await bench.arrivals.finish()


async def test_the_quota_sends_away_and_refuses_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.spool._quota = 100
    link = FakeLink()
    bench.open(link, 1)
    await until(lambda: bool(link.closed))
    assert link.refused == []
    await bench.arrivals.finish()


async def test_a_masked_update_is_words_of_any_value(tmp_path: Path) -> None:
    bench, link = Bench(tmp_path, masked=True), FakeLink()
    bench.open(link, 7, NOT_FINITE)
    await bench.send(link, 7, NOT_FINITE)
    assert await bench.heard() == UpdateArrived(NODE, 7, 1, 1, digest(NOT_FINITE))
    await bench.arrivals.finish()


async def test_a_masked_update_of_another_digest_is_broken_in_the_end(tmp_path: Path) -> None:
    bench, link = Bench(tmp_path, masked=True), FakeLink()
    for stream in range(MAX_DAMAGED):
        bench.open(link, stream, GOOD, claim=digest(NOT_FINITE))
        await bench.send(link, stream)
        await until(lambda num=stream: bool(bench.events) or len(link.closed) > num)
    assert isinstance(await bench.heard(), UpdateBroken)
    await bench.arrivals.finish()


@pytest.mark.parametrize(
    ("kind", "header"),
    [("model", None), ("plan", None), ("update", None), ("masked", HEADER), ("model", HEADER)],
)
@pytest.mark.parametrize("masked", [False, True])
async def test_nodes_send_updates_only(
    tmp_path: Path, kind: BulkKind, header: UpdateHeader | None, masked: bool
) -> None:
    bench, link = Bench(tmp_path, masked=masked), FakeLink()
    bench.arrivals.opened(
        link,  # type: ignore[arg-type]  # as above
        Open(stream=1, kind=kind, num_bytes=4, digest=b"d" * 32, update=header),
    )
    assert bench.events == []
    assert link.refused[0][:2] == (1, CloseCode.PROTOCOL)
    await bench.arrivals.finish()


async def test_a_refusal_reaches_the_stream_with_its_code(tmp_path: Path) -> None:
    bench, link = Bench(tmp_path), FakeLink()
    bench.open(link, 4)
    bench.arrivals.refuse(RefuseUpdate(NODE, 4, 4006, "too late"))
    assert link.refused == [(4, CloseCode.LIMIT, "too late")]
    await bench.arrivals.finish()


async def test_I9_what_an_attempt_leaves_goes_and_the_next_one_stays(tmp_path: Path) -> None:
    bench, link = Bench(tmp_path), FakeLink()
    bench.open(link, 1)
    await bench.send(link, 1)
    await bench.heard()
    later = FakeLink(node_id=b"m" * 32)
    bench.arrivals.discard(1, 1)
    bench.open(later, 1)  # begun right after: never swept with the old attempt
    await until(lambda: bool(later.accepted))
    bench.arrivals.discard(2, 9)
    await bench.arrivals.finish()
    assert [name.split("-")[2] for name in names(tmp_path)] == [(b"m" * 32).hex()]


async def test_S9_what_was_meant_for_a_session_before_does_not_reach_the_next(
    tmp_path: Path,
) -> None:
    """A node that comes back with the same stream number and another update, while we commit."""
    bench, first, second = Bench(tmp_path), FakeLink(), FakeLink()
    other = np.full(D, 2, "<f4").tobytes()
    bench.open(first, 5)
    await until(lambda: bool(first.accepted))
    bench.arrivals.closed(first)  # type: ignore[arg-type]  # as above
    bench.open(second, 5, other)
    old = AcceptUpdate(NODE, 5, 1, 1, len(GOOD), digest(GOOD))
    for _ in range(2):
        bench.arrivals.accept(old)
    bench.arrivals.acknowledge(Acknowledge(NODE, 5, digest(GOOD)))
    bench.arrivals.accept(AcceptUpdate(NODE, 5, 1, 1, len(other), digest(other)))
    await bench.send(second, 5, other)
    assert await bench.heard() == UpdateArrived(NODE, 5, 1, 1, digest(other))
    assert (second.accepted, second.receipts) == ([(5, 0)], [])
    await bench.arrivals.finish()


async def test_E2_a_round_that_ends_while_an_update_is_synced_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of the round go when nobody works on them any more."""
    syncing, go_on = threading.Event(), threading.Event()
    real = Upload.finish

    def slow(self: Upload) -> None:
        syncing.set()
        assert go_on.wait(30)
        real(self)

    monkeypatch.setattr(Upload, "finish", slow)
    bench, link = Bench(tmp_path), FakeLink()
    bench.open(link, 7)
    await bench.send(link, 7)
    await until(syncing.is_set)
    bench.arrivals.discard(1, 1)
    bench.open(other := FakeLink(b"o" * 32), 8, attempt=2)  # its file must not go along
    go_on.set()
    await until(lambda: bool(other.accepted))
    await bench.arrivals.finish()
    assert bench.fatal == []
    assert [name.split("-")[1] for name in names(tmp_path)] == ["2"]


async def test_a_straggler_in_mid_upload_is_told_that_the_round_went_on(tmp_path: Path) -> None:
    bench, link = Bench(tmp_path), FakeLink()
    bench.open(link, 7)
    await until(lambda: bool(link.accepted))
    assert link.sink is not None
    link.sink.write(memoryview(GOOD[:8]))
    bench.arrivals.discard(1, 1)
    assert link.refused == [(7, CloseCode.LIMIT, "round 1 went on without this update")]
    await bench.arrivals.finish()
    assert (link.closed, bench.fatal, names(tmp_path)) == ([], [], [])


async def test_a_late_verdict_on_an_old_stream_spares_a_new_one(tmp_path: Path) -> None:
    bench, link = Bench(tmp_path), FakeLink()
    bench.open(link, 7)
    bench.arrivals.refuse(RefuseUpdate(NODE, 7, CloseCode.LIMIT, "late", digest(b"another")))
    assert link.refused == []
    bench.arrivals.refuse(RefuseUpdate(NODE, 7, CloseCode.LIMIT, "late", digest(GOOD)))
    assert link.refused == [(7, CloseCode.LIMIT, "late")]
    await bench.arrivals.finish()
