"""Bulk streams of a node: what was not asked for is refused, what breaks goes on later."""

import asyncio
from pathlib import Path

import pytest
from a_plan import MODEL, UPDATE, digest_of
from fake_federation import FakeCoordinator, member, settle
from fake_trainer import FakeTrainer

from fedtui.errors import CloseCode
from fedtui.wire import events
from fedtui.wire.messages import Declining, Fetch, Open
from node import jobs
from node.paths import Profile
from node.updates import Updates


async def test_a_model_that_nobody_asked_for_is_refused(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer_bytes("model", b"x" * 100, b"d" * 32)
    coordinator.offer_bytes("plan", b"x" * 100, b"d" * 32)
    coordinator.offer_bytes("update", b"x" * 100, b"d" * 32)
    await settle()
    assert len(coordinator.refused) == 3
    assert {path.name for path in home.models.iterdir()} <= {"certified.json"}
    await node.close()


async def test_a_model_of_another_size_is_refused(home: Profile) -> None:
    coordinator = FakeCoordinator()
    coordinator.models[digest_of(MODEL)] = MODEL + b"more"
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    assert coordinator.refused == ["the node did not ask for this"], "before a byte of it came"
    await node.close()


async def test_a_model_with_another_digest_is_thrown_away(home: Profile) -> None:
    coordinator = FakeCoordinator()
    coordinator.models[digest_of(MODEL)] = bytes(len(MODEL))
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    assert coordinator.refused == ["the digest does not fit"] * 2, "it is fetched once more"
    assert list(home.models.glob("*.f32")) == []
    assert coordinator.uploads == []
    (said,) = [one for one in coordinator.said if isinstance(one, Declining)]
    assert "damaged" in said.reason
    assert (await node.status()).state == "waiting"
    await node.close()


async def test_a_model_at_hand_is_not_fetched_again(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer(number=1)
    await settle()
    coordinator.offer(number=1, attempt=2)
    await settle()
    fetched = [one for one in coordinator.said if isinstance(one, Fetch) and one.kind == "model"]
    assert len(fetched) == 1
    await node.close()


async def test_L5_a_disk_that_fails_while_a_model_arrives_declines_at_once(home: Profile) -> None:
    """Nobody waits for the deadline: it is tried once more, then the coordinator is told."""
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.serve_bulk = False
    coordinator.offer()
    for expected in (0, 1):
        await settle()
        assert sum(isinstance(one, Declining) for one in coordinator.said) == 0
        assert sum(_is_of_a_model(one) for one in coordinator.said) == 1 + expected
        stream = max(coordinator._sinks)
        coordinator.handler.event(events.StreamFailed(stream, outgoing=False, reason="disk full"))
    seen = await node.status()
    assert seen.problem is not None
    assert "disk full" in seen.problem.text
    (said,) = [one for one in coordinator.said if isinstance(one, Declining)]
    assert "disk full" in said.reason
    coordinator.serve_bulk = True
    coordinator.offer(attempt=2)
    await settle()
    assert coordinator.uploads == [UPDATE], "the next attempt begins anew"
    await node.close()


async def test_a_model_that_the_coordinator_breaks_off_declines_at_once(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.serve_bulk = False
    coordinator.offer()
    for expected in (1, 2):
        await settle()
        assert sum(isinstance(one, Declining) for one in coordinator.said) == 0
        assert sum(_is_of_a_model(one) for one in coordinator.said) == expected
        coordinator.handler.event(events.StreamCancelled(max(coordinator._sinks)))
    await settle()
    (said,) = [one for one in coordinator.said if isinstance(one, Declining)]
    assert "broke off the model" in said.reason
    assert (await node.status()).state == "waiting"
    await node.close()


async def test_a_model_that_arrives_damaged_once_costs_nothing(home: Profile) -> None:
    coordinator = FakeCoordinator()
    coordinator.models[digest_of(MODEL)] = bytes(len(MODEL))
    node = await member(home, coordinator)
    refuse = coordinator.refuse

    def mend(stream: int, code: CloseCode, *, text: str) -> bool:
        coordinator.models[digest_of(MODEL)] = MODEL
        return refuse(stream, code, text=text)

    coordinator.refuse = mend
    coordinator.offer()
    await settle()
    assert coordinator.uploads == [UPDATE]
    seen = await node.status()
    assert seen.problem is None
    assert any("fetched once more" in line.text for line in seen.log)
    await node.close()


@pytest.mark.parametrize("how", ["gone", "cut", "fails"])
async def test_L5_an_update_that_cannot_be_read_is_declined_and_trained_again(
    home: Profile, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    coordinator = FakeCoordinator()
    coordinator.receipts = False
    trainer = FakeTrainer(hold=asyncio.Event())
    node = await member(home, coordinator, trainer=trainer)
    if how != "fails":
        monkeypatch.setattr(Updates, "keep", lambda self, _: _spoil(self.path, how))
    trainer.hold.set()
    coordinator.offer()
    await settle()
    if how == "fails":
        stream = coordinator._stream
        coordinator.handler.event(events.StreamFailed(stream, outgoing=True, reason="EIO"))
    monkeypatch.undo()
    (said,) = [one for one in coordinator.said if isinstance(one, Declining)]
    assert (said.round, said.attempt) == (1, 1)
    assert "update" in said.reason
    seen = await node.status()
    assert seen.state == "waiting"
    assert not any("the coordinator refused" in line.text for line in seen.log)
    coordinator.offer(attempt=2)
    await settle()
    assert coordinator.uploads[-1] == UPDATE
    trained = [job for job in trainer.done if isinstance(job, jobs.TrainJob)]
    assert len(trained) == 2
    await node.close()


def _spoil(path: Path, how: str) -> None:
    path.unlink()
    if how == "cut":
        path.write_bytes(UPDATE[:-4])


def _is_of_a_model(message: object) -> bool:
    return isinstance(message, Fetch) and message.kind == "model"


async def test_a_refused_update_ends_the_attempt(home: Profile) -> None:
    coordinator = FakeCoordinator()
    coordinator.receipts = False
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    coordinator.handler.event(events.StreamRefused(coordinator._stream, 4006, "too late"))
    seen = await node.status()
    assert seen.state == "waiting"
    assert any("too late" in line.text for line in seen.log)
    await node.close()


async def test_events_of_streams_that_are_over_are_ignored(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    for event in (
        events.StreamComplete(77),
        events.StreamCancelled(77),
        events.StreamReceipt(77, b"d" * 32),
        events.StreamRefused(77, 4006, "x"),
        events.StreamFailed(77, outgoing=True, reason="x"),
        events.StreamAccepted(77, 0),
    ):
        coordinator.handler.event(event)
    assert (await node.status()).state == "waiting"
    opening = Open(stream=5, kind="model", num_bytes=1, digest=b"d" * 32)
    coordinator.drop()
    coordinator.handler.event(events.StreamOpened(opening))
    assert coordinator.uploads == []
    assert len(UPDATE) == len(MODEL)
    await node.close()
