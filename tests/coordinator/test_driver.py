"""Write down, then speak; and wait, saying nothing, while the disk is full."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from a_coordinator import until

from coordinator import driver as driver_module
from coordinator.driver import Driver
from coordinator.files import StoreFatal, StoreUnavailable
from fedtui.rounds.machine import (
    CoordinatorEffect,
    CoordinatorEvent,
    Discard,
    Joined,
    Left,
    Operator,
    Persist,
    Said,
    Tick,
)
from fedtui.rounds.records import FederationPaused, Record
from fedtui.wire.messages import Accepting, Progress

PROGRESS = Progress(incarnation=1, round=1, attempt=1, stage="train", fraction=0.5)


class FakeFederation:
    """Persists and then asks for something, for every event."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.seen: list[CoordinatorEvent] = []

    def start(self, now: float) -> list[CoordinatorEffect]:
        return [Discard(0, 0)]

    def handle(self, event: CoordinatorEvent, now: float) -> list[CoordinatorEffect]:
        self.seen.append(event)
        if isinstance(event, Tick):
            self.deadline = None
        number = len(self.seen)
        return [Discard(number, 1), Persist(FederationPaused(reason=str(number)))]


class FakeStore:
    def __init__(self, journal: list[str]) -> None:
        self.journal = journal
        self.failures: list[Exception] = []

    async def commit(self, records: Sequence[Record]) -> None:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.journal.append(f"commit {len(records)}")


class FakeStage:
    def __init__(self, journal: list[str]) -> None:
        self.journal = journal
        self.done = asyncio.Event()
        self.wanted = 1
        self.num_handled = 0

    async def committed(self, records: Sequence[Record], took_s: float) -> None:
        self.journal.append(f"committed {len(records)}")

    def perform(self, effect: CoordinatorEffect) -> None:
        assert isinstance(effect, Discard)
        self.journal.append(f"perform {effect.round}")

    def handled(self, events: Sequence[CoordinatorEvent]) -> None:
        self.num_handled += len(events)
        if self.num_handled >= self.wanted:
            self.done.set()


class Bench:
    def __init__(self) -> None:
        self.journal: list[str] = []
        self.now = 100.0
        self.federation = FakeFederation()
        self.store = FakeStore(self.journal)
        self.stage = FakeStage(self.journal)
        self.driver = Driver(
            self.federation,  # type: ignore[arg-type]  # all that the driver uses of it
            self.store,
            self.stage,
            lambda: self.now,
        )

    async def run(self, wanted: int) -> None:
        self.stage.wanted = wanted
        task = asyncio.create_task(self.driver.run())
        waiting = asyncio.create_task(self.stage.done.wait())
        done, _ = await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        task.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)
        if task in done:
            task.result()


async def test_records_of_a_batch_share_a_commit_before_anything_is_said() -> None:
    bench = Bench()
    for event in (Joined(b"a", "participant"), Left(b"a"), Operator("pause")):
        bench.driver.put(event)
    await bench.run(3)
    assert bench.journal == [
        "perform 0",  # the start's own, which persists nothing
        "commit 3",
        "committed 3",
        "perform 1",
        "perform 2",
        "perform 3",
    ]


async def test_L5_nothing_is_said_while_the_disk_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver_module, "RETRY_S", 0.0)
    bench = Bench()
    seen: list[str | None] = []

    class Watched(list[Exception]):
        def pop(self, index: int = -1) -> Exception:  # type: ignore[override]
            seen.append(bench.driver.degraded)
            assert not [line for line in bench.journal if line.startswith("perform 1")]
            return super().pop(index)

    bench.store.failures = Watched([StoreUnavailable("full"), StoreUnavailable("still full")])
    bench.driver.put(Left(b"a"))
    await bench.run(1)
    assert seen == [None, "full"]
    assert bench.driver.degraded is None
    assert bench.journal[1:] == ["commit 1", "committed 1", "perform 1"]


async def test_a_failed_sync_ends_the_driver_and_nothing_is_said() -> None:
    bench = Bench()
    bench.store.failures = [StoreFatal("sync failed")]
    bench.driver.put(Left(b"a"))
    with pytest.raises(StoreFatal):
        await bench.run(1)
    assert bench.journal == ["perform 0"]


async def test_a_deadline_in_the_past_is_a_tick_after_the_events() -> None:
    bench = Bench()
    bench.federation.deadline = 99.0
    bench.driver.put(Left(b"a"))
    await bench.run(1)
    assert bench.federation.seen == [Left(b"a"), Tick()]


async def test_the_timer_fires_at_the_deadline() -> None:
    bench = Bench()
    loop = asyncio.get_running_loop()
    bench.federation.deadline = loop.time() + 0.01
    bench.driver._clock = loop.time
    bench.stage.wanted = 0
    task = asyncio.create_task(bench.driver.run())
    await until(lambda: bool(bench.federation.seen))
    assert bench.federation.seen == [Tick()]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_flood_of_progress_is_dropped_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver_module, "MAX_QUEUED", 2)
    bench = Bench()
    for _ in range(5):
        bench.driver.put(Said(b"a", PROGRESS))
    bench.driver.put(Left(b"a"))
    await bench.run(3)
    assert bench.federation.seen == [Said(b"a", PROGRESS)] * 2 + [Left(b"a")]


async def test_what_one_node_says_cannot_fill_the_queue_and_displaces_nobody() -> None:
    bench = Bench()
    accepting = Accepting(incarnation=1, round=1, attempt=1)
    flood = 3 * driver_module.MAX_OF_ONE_NODE
    for _ in range(flood):
        bench.driver.put(Said(b"a", PROGRESS))
    for _ in range(flood):
        bench.driver.put(Said(b"a", accepting))
    bench.driver.put(Said(b"b", accepting))
    bench.driver.put(Left(b"a"))
    await bench.run(driver_module.MAX_OF_ONE_NODE + 2)
    seen = bench.federation.seen
    assert seen.count(Said(b"a", PROGRESS)) == driver_module.MAX_PROGRESS
    assert len(seen) == driver_module.MAX_OF_ONE_NODE + 2
    assert seen[-2:] == [Said(b"b", accepting), Left(b"a")]
    bench.driver.put(Said(b"a", accepting))
    assert bench.driver._take() == [Said(b"a", accepting)], "what was handled counts no more"


async def test_retrying_lets_other_errors_through() -> None:
    bench = Bench()

    def failing(error: Exception) -> Callable[[], "asyncio.Future[None]"]:
        def write() -> "asyncio.Future[None]":
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.set_exception(error)
            return future

        return write

    with pytest.raises(KeyError):
        await bench.driver.retrying(failing(KeyError("bug")))
    assert bench.driver.degraded is None
