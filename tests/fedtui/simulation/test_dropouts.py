"""R3: nodes that drop out in each phase of a round; the least that may be left, and one fewer."""

import msgspec
import pytest

from fedtui.rounds.federation import Phase
from fedtui.rounds.plan import DeadlinesSection, RoundsSection, SelectionSection
from fedtui.rounds.records import RoundFailed
from fedtui.simulation.world import World, small_plan

NODES, LEAST = 10, 7
POINTS = ["invited", "training", "one update is in", "measuring"]


def world_at(point: str) -> World:
    """Ten nodes of which a round needs seven, run up to this point of round 1."""
    plan = msgspec.structs.replace(
        small_plan(),
        rounds=RoundsSection(maximum=3, start_with=NODES),
        selection=SelectionSection(minimum=LEAST),
        deadlines=DeadlinesSection(accept_s=5, update_s=20, rejoin_s=3, evaluate_s=10),
    )
    world = World(seed=11, num_nodes=NODES, plan=plan)
    machine = world.coordinator.machine
    reached = {
        "invited": lambda: machine.phase is Phase.ROUND,
        "training": lambda: machine.attempt and machine.attempt.phase.name == "COLLECTING",
        "one update is in": lambda: bool(world.coordinator.spool),
        "measuring": lambda: machine.phase is Phase.EVALUATING,
    }[point]
    while not reached():
        assert world.clock.now < 60, f"it never came to this: {point}"
        world.clock.step()
    return world


def sent(world: World) -> set[bytes]:
    return {node for _, _, node, *_ in world.coordinator.spool}


@pytest.mark.parametrize("point", POINTS)
def test_R3_with_exactly_the_least_left_every_round_is_committed(point: str) -> None:
    world = world_at(point)
    for name in sorted(set(world.nodes) - sent(world))[: NODES - LEAST]:
        world.crash_node(world.called(name))
    world.run(seconds=300)
    assert world.coordinator.ended is not None
    assert world.rounds_done == 3
    assert not [r for r in world.coordinator.records if isinstance(r, RoundFailed)]
    for record in world.coordinator.machine.rounds[1:]:
        assert len(record.survivors) >= LEAST
    world.invariants.remembered()


@pytest.mark.parametrize("point", POINTS)
def test_R3_with_one_fewer_it_aborts_with_the_counts_and_moves_no_model(point: str) -> None:
    world = world_at(point)
    before = world.coordinator.machine.model.digest
    done = world.rounds_done
    for name in sorted(set(world.nodes) - sent(world))[: NODES - LEAST + 1]:
        world.crash_node(world.called(name))
    world.run(seconds=300)
    assert world.coordinator.ended is None
    assert world.rounds_done == done
    assert world.coordinator.machine.model.digest == before
    failed = [r for r in world.coordinator.records if isinstance(r, RoundFailed)]
    if point != "measuring":  # between rounds nothing fails: no round begins with so few
        assert failed
        assert "6 of 10 nodes were left, 7 are needed" in failed[0].cause
    else:
        assert failed == []
    world.heal()
    world.run(seconds=300)
    assert world.coordinator.ended is not None, "it goes on when they are back"
