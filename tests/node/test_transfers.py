"""Bulk streams of a node: what was not asked for is refused, what breaks goes on later."""

from fake_coordinator import MODEL, UPDATE, FakeCoordinator, digest_of, member, settle

from fedtui.wire import events
from fedtui.wire.messages import Fetch, Open
from node.paths import Profile


async def test_a_model_that_nobody_asked_for_is_refused(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer_bytes("model", b"x" * 100, b"d" * 32)
    coordinator.offer_bytes("plan", b"x" * 100, b"d" * 32)
    coordinator.offer_bytes("update", b"x" * 100, b"d" * 32)
    await settle()
    assert len(coordinator.refused) == 3
    assert list(home.models.iterdir()) == []
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
    assert coordinator.refused == ["the digest does not fit"]
    assert [path.suffix for path in home.models.iterdir()] == []
    assert coordinator.uploads == []
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


async def test_a_disk_that_fails_while_a_model_arrives_is_said(home: Profile) -> None:
    coordinator = FakeCoordinator()
    coordinator.serve_bulk = True
    node = await member(home, coordinator)
    coordinator.serve_bulk = False
    coordinator.offer()
    await settle()
    stream = max(coordinator._sinks)
    coordinator.handler.event(events.StreamFailed(stream, outgoing=False, reason="disk full"))
    seen = await node.status()
    assert seen.problem is not None
    assert "disk full" in seen.problem.text
    await node.close()


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
