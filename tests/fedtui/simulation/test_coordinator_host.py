"""The simulated server: what survives a power cut, and what does not."""

import msgspec
import pytest

from fedtui.rounds.plan import TrafficSection
from fedtui.rounds.records import RoundStarted
from fedtui.simulation.coordinator_host import KEPT_CHANGES
from fedtui.simulation.watch import Watch
from fedtui.simulation.world import World, small_plan
from fedtui.wire.changes import Bits


@pytest.mark.parametrize(("when", "survives"), [("before", False), ("after", True)])
def test_a_power_cut_keeps_exactly_what_was_committed(when: str, survives: bool) -> None:
    world = World(seed=1, num_nodes=3)
    world.coordinator.crash_plan = lambda at, r: at == when and isinstance(r, RoundStarted)
    while world.coordinator.up:
        world.clock.step()
    kept = [r for r in world.coordinator.records if isinstance(r, RoundStarted)]
    assert bool(kept) == survives
    assert not world.sessions
    world.coordinator.restart()
    assert world.coordinator.incarnation == 2
    world.run(rounds=1)
    assert world.rounds_done == 1


def test_restarting_what_runs_changes_nothing() -> None:
    world = World(seed=1, num_nodes=2)
    world.coordinator.restart()
    assert world.coordinator.incarnation == 1


def test_spool_and_models_do_not_pile_up() -> None:
    world = World(seed=1, num_nodes=3)
    world.run(rounds=30)
    assert len(world.coordinator.models) < 10
    assert len(world.coordinator.spool) <= 3


def test_a_crash_forgets_what_was_being_aggregated() -> None:
    world = World(seed=1, num_nodes=2)
    while world.coordinator.machine.attempt is None or (
        world.coordinator.machine.attempt.phase.name != "AGGREGATING"
    ):
        world.clock.step()
    world.crash_coordinator(back_after_s=5.0)
    world.run(seconds=4.0)
    assert world.coordinator.machine.rounds[-1].round == 0
    world.run(rounds=1)
    assert world.rounds_done == 1


def down_bytes(bits: Bits | None, *, rounds: int) -> tuple[list[int], World]:
    """What each round brought to one node of a world, in bytes."""
    plan = msgspec.structs.replace(small_plan(), traffic=TrafficSection(model_bits=bits))
    world = World(seed=1, num_nodes=2, plan=plan, num_values=5000)
    world.invariants = world.watch = Watch()  # I2 is for models that nobody rounds
    found = []
    for number in range(1, rounds + 1):
        world.run(rounds=number)
        found.append(sum(down for _, down in world.post.carried.values()))
        world.post.carried.clear()
    return found, world


def test_the_books_count_the_change_and_not_the_model() -> None:
    plain, _ = down_bytes(None, rounds=4)
    coarse, world = down_bytes(8, rounds=4)
    assert coarse[0] == pytest.approx(plain[0], rel=0.01), "nobody has a model yet"
    for number in (1, 2, 3):
        assert 0.1 < coarse[number] / plain[number] < 0.35
    newest = world.coordinator.machine.rounds[-1].model_digest
    base, num_bytes = world.coordinator.changes[newest]
    assert world.coordinator.download_bytes(newest, {base}) == num_bytes
    before = world.coordinator.changes[base][0]
    longer = world.coordinator.download_bytes(newest, {before})
    assert longer == num_bytes + world.coordinator.changes[base][1]
    assert world.coordinator.download_bytes(newest, set()) == 20_000


def test_changes_do_not_pile_up() -> None:
    _, world = down_bytes(4, rounds=8)
    assert len(world.coordinator.changes) == KEPT_CHANGES
