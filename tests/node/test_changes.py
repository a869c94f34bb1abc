"""A model that comes as a change: the same bytes, whatever breaks, or else the whole model."""

import os
from dataclasses import dataclass

import numpy as np
import pytest
import zstandard
from a_plan import MANIFEST, MODEL, UPDATE, digest_of, model_ref
from fake_federation import FakeCoordinator, member, settle

from fedtui.wire import changes, events
from fedtui.wire.changes import Bits
from fedtui.wire.messages import Declining, Fetch, ModelRef, Open
from node.changes import ChangeDownload
from node.models import Models
from node.paths import Profile

PACKER = zstandard.ZstdCompressor()


def moved(data: bytes, seed: int) -> bytes:
    values = np.frombuffer(data, "<f4")
    other = values + np.random.default_rng(seed).normal(0, 1e-3, len(values))
    return other.astype("<f4").tobytes()


def change(base: bytes, model: bytes, bits: Bits = 32) -> bytes:
    """A change of a model of one block, without loss."""
    old, new = np.frombuffer(base, "<f4"), np.frombuffer(model, "<f4")
    head = changes.header(bits, len(old), digest_of(base))
    return head + changes.block(changes.exact(old, new), PACKER) + digest_of(model)


NEXT = moved(MODEL, 1)
AFTER = moved(NEXT, 2)
LAST = moved(AFTER, 3)
CHAIN = change(MODEL, NEXT) + change(NEXT, AFTER) + change(AFTER, LAST)


@pytest.fixture
def models(home: Profile) -> Models:
    models = Models(home.models)
    download = models.begin(digest_of(MODEL), len(MODEL))
    download.write(memoryview(MODEL))
    assert download.finish()
    models.certify(model_ref(), final=False)
    return models


def begin(models: Models, data: bytes = CHAIN, model: bytes = LAST) -> ChangeDownload:
    wanted = ModelRef(round=3, digest=digest_of(model), num_bytes=len(model))
    return ChangeDownload(models, wanted, digest_of(MODEL), len(data))


def left(home: Profile) -> set[str]:
    return {path.name for path in home.models.iterdir()} - {"certified.json"}


@pytest.mark.parametrize(
    ("data", "model"),
    [(change(MODEL, NEXT), NEXT), (CHAIN[: -len(change(AFTER, LAST))], AFTER)],
    ids=["one", "two"],
)
def test_changes_make_the_model_and_leave_nothing_else(
    models: Models, home: Profile, data: bytes, model: bytes
) -> None:
    download = begin(models, data, model)
    download.write(memoryview(data))
    assert download.finish()
    assert models.path(digest_of(model)).read_bytes() == model
    assert models.has(digest_of(model))
    assert left(home) == {f"{digest_of(one).hex()}.f32" for one in (MODEL, model)}


@pytest.mark.parametrize("cut", [0, 1, 48, 49, 60, len(CHAIN) // 2, len(CHAIN) - 1, len(CHAIN)])
def test_it_goes_on_where_it_stopped_even_if_its_base_went_meanwhile(
    models: Models, cut: int
) -> None:
    first = begin(models)
    first.write(memoryview(CHAIN)[:cut])
    first.close()
    second = begin(models)
    assert second.offset == cut
    models.path(digest_of(MODEL)).unlink()
    second.write(memoryview(CHAIN)[cut:])
    assert second.finish()
    assert models.path(digest_of(LAST)).read_bytes() == LAST


@pytest.mark.parametrize(
    "found",
    [os.urandom(100), CHAIN[: -len(change(AFTER, LAST))] + b"x" * 100, b"x" * len(CHAIN) * 2],
    ids=["noise", "damaged in the last change", "too long"],
)
def test_what_does_not_fit_of_what_a_dead_process_left_is_dropped(
    models: Models, home: Profile, found: bytes
) -> None:
    first = begin(models)
    first.write(memoryview(CHAIN)[:100])
    del first  # as kill -9 leaves it: nothing is closed or removed
    (arriving,) = home.models.glob("*.change.part")
    arriving.write_bytes(found)
    second = begin(models)
    assert (second.offset, second.flaw) == (0, "")
    second.write(memoryview(CHAIN))
    assert second.finish()
    assert left(home) == {f"{digest_of(one).hex()}.f32" for one in (MODEL, LAST)}


@pytest.mark.parametrize(
    "data",
    [
        b"x" * len(CHAIN),
        CHAIN[:-1],
        CHAIN + b"x",
        change(NEXT, AFTER),  # of another base
        change(MODEL, NEXT),  # to another model
        CHAIN[:70] + b"\x00\x01" + CHAIN[72:],
    ],
    ids=["noise", "too short", "too long", "another base", "another model", "damaged"],
)
def test_what_does_not_fit_is_thrown_away(models: Models, home: Profile, data: bytes) -> None:
    download = begin(models, data)
    download.write(memoryview(data))
    assert not download.finish()
    assert download.flaw
    assert left(home) == {f"{digest_of(MODEL).hex()}.f32"}


def test_a_model_that_is_gone_is_an_oserror_and_no_file_stays(home: Profile) -> None:
    with pytest.raises(FileNotFoundError):
        begin(Models(home.models))
    assert left(home) == set()


# ---- as streams of a session -------------------------------------------------------------------


@dataclass
class Changes:
    """A coordinator that answers who has the first model with this change of it."""

    coordinator: FakeCoordinator
    data: bytes

    def __call__(self, message: object) -> None:
        if isinstance(message, Fetch) and message.have is not None:
            self.coordinator.offer_bytes("change", self.data, message.digest)


async def second_round(
    home: Profile, data: bytes, *, model: bytes = NEXT
) -> tuple[FakeCoordinator, list[Fetch], object]:
    """A node that trained on MODEL is offered a round on NEXT."""
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    coordinator.result(model=model_ref())
    await settle()
    serve = coordinator._serve
    answer = Changes(coordinator, data)
    coordinator._serve = lambda fetch: answer(fetch) if fetch.have else serve(fetch)
    coordinator.models[digest_of(NEXT)] = model
    coordinator.said.clear()
    coordinator.offer(number=2, model=model_ref(NEXT, 1))
    await settle()
    seen = await node.status()
    await node.close()
    fetched = [one for one in coordinator.said if isinstance(one, Fetch)]
    return coordinator, fetched, seen


async def test_a_node_says_what_it_has_and_takes_the_change(home: Profile) -> None:
    coordinator, fetched, seen = await second_round(home, change(MODEL, NEXT))
    wanted = Fetch(kind="model", digest=digest_of(NEXT), have=digest_of(MODEL))
    assert fetched == [wanted]
    assert Models(home.models).path(digest_of(NEXT)).read_bytes() == NEXT
    assert coordinator.uploads == [UPDATE, UPDATE]
    assert any("came as a change: 0.0 of 0.0 MB" in line.text for line in seen.log)


@pytest.mark.parametrize(
    "data",
    [
        change(NEXT, AFTER),
        change(MODEL, AFTER),
        b"x" * 100,
        bytes(4 * MANIFEST.num_values),
    ],
    ids=["another base", "another model", "noise", "as long as the model"],
)
async def test_from_a_change_that_does_not_fit_it_falls_back_to_the_model(
    home: Profile, data: bytes
) -> None:
    coordinator, fetched, seen = await second_round(home, data)
    assert [one.have for one in fetched] == [digest_of(MODEL), None]
    assert coordinator.uploads == [UPDATE, UPDATE]
    assert seen.problem is None
    (line,) = [line.text for line in seen.log if "all of it is fetched" in line.text]
    assert line


async def test_a_whole_model_is_fetched_twice_at_most(home: Profile) -> None:
    coordinator, fetched, _ = await second_round(home, b"x" * 100, model=b"y" * len(NEXT))
    assert [one.have for one in fetched] == [digest_of(MODEL), None, None]
    (said,) = [one for one in coordinator.said if isinstance(one, Declining)]
    assert "damaged" in said.reason


async def test_a_change_that_nobody_asked_for_is_refused(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer_bytes("change", change(MODEL, NEXT), digest_of(NEXT))
    await settle()
    assert coordinator.refused == ["the node did not ask for this"]
    await node.close()


async def test_a_change_that_breaks_off_is_fetched_as_a_model(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    coordinator.result(model=model_ref())
    await settle()
    coordinator.serve_bulk = False
    coordinator._serve = Changes(coordinator, change(MODEL, NEXT))
    coordinator.offer(number=2, model=model_ref(NEXT, 1))
    await settle()
    coordinator.handler.event(events.StreamCancelled(max(coordinator._sinks)))
    await settle()
    assert coordinator.said[-1] == Fetch(kind="model", digest=digest_of(NEXT))
    await node.close()


def test_an_opening_of_a_change_is_a_message() -> None:
    assert Open(stream=1, kind="change", num_bytes=3, digest=bytes(32)).kind == "change"
