"""The simulated server: what survives a power cut, and what does not."""

import pytest

from fedtui.rounds.records import RoundStarted
from fedtui.simulation.world import World


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
