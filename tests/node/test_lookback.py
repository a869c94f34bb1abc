"""What a node remembers of its rounds is shown again, once, and of its own federation only."""

from fake_federation import FakeCoordinator, make_node, member, settle, write_config
from msgspec.structs import replace

from fedtui.status import MAX_ROUNDS, PastRound
from fedtui.wire.messages import Scored
from node import history
from node.history import History
from node.paths import Profile

SCORED = Scored(incarnation=1, round=1, metric="accuracy", score=0.9, num_examples=9, num_nodes=2)


async def test_a_restarted_node_shows_its_rounds_again_and_counts_the_late_ones(
    home: Profile,
) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    coordinator.result()
    coordinator.tell(SCORED)
    coordinator.result(number=2, counted=False)
    coordinator.offer(number=3)
    await settle()
    coordinator.result(number=3, counted=False)
    await settle()
    before = (await node.status()).rounds
    assert [one.outcome for one in before] == ["counted", "sat out", "late"]
    await node.close()
    node = await member(home, coordinator)
    seen = await node.status()
    assert seen.rounds == before
    assert (seen.rounds_counted, seen.rounds_late) == (1, 1)
    await node.join()
    await settle()
    seen = await node.status()
    assert (seen.rounds, seen.rounds_late) == (before, 1)
    await node.close()
    coordinator.federation_id = b"g" * 32
    node = await member(home, coordinator)
    seen = await node.status()
    assert (seen.rounds, seen.rounds_counted, seen.rounds_late) == ((), 0, 0)
    assert await node.history() == ()
    await node.close()
    assert len(history.rounds(home.history, 10)) == 3, "the file has them all"


async def test_a_history_that_cannot_be_opened_is_an_alarm_and_stops_nothing(
    home: Profile,
) -> None:
    home.history.mkdir()
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    assert [one.kind for one in (await node.status()).alarms][:1] == ["disk"]
    coordinator.offer()
    await settle()
    coordinator.result()
    assert (await node.status()).rounds[-1].outcome == "counted"
    await node.close()


async def test_rounds_are_shown_before_the_coordinator_is_reached(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    coordinator.result()
    await settle()
    await node.close()
    write_config(home)
    unreachable = FakeCoordinator()
    unreachable.connect = lambda: None
    node = make_node(home, unreachable)
    await node.start()
    seen = await node.status()
    assert [one.outcome for one in seen.rounds] == ["counted"]
    assert seen.rounds_counted == 1
    await node.close()


async def test_more_rounds_than_a_screen_shows_are_counted_once(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    await node.close()
    late = PastRound(number=1, attempt=1, outcome="late", ended_at=1.0)
    kept = History(home.history)
    for number in range(1, MAX_ROUNDS + 11):
        kept.keep(coordinator.federation_id.hex(), replace(late, number=number))
    kept.close()
    node = await member(home, coordinator)
    for _ in range(2):
        seen = await node.status()
        assert (len(seen.rounds), seen.rounds_late) == (MAX_ROUNDS, MAX_ROUNDS + 10)
        await node.join()
        await settle()
    await node.close()
