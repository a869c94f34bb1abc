"""The simulated workstation: memory goes, disk stays, a stalled process catches up."""

import msgspec

from fedtui.rounds.phases import Phase
from fedtui.rounds.plan import DeadlinesSection, RoundsSection
from fedtui.simulation.world import World, small_plan


def training() -> World:
    world = World(seed=1, num_nodes=2)
    while world.nodes[World.name("n1")].machine.phase is not Phase.TRAINING:
        world.clock.step()
    return world


def test_a_crash_loses_memory_and_keeps_the_disk() -> None:
    world = training()
    node = world.nodes[World.name("n1")]
    world.crash_node("n1")
    assert node.machine.phase is Phase.IDLE
    assert node.models
    world.run(seconds=30)
    assert node.machine.phase is Phase.IDLE, "a dead trainer reported"


def test_a_stalled_node_finds_everything_when_it_goes_on() -> None:
    world = training()
    node = world.nodes[World.name("n1")]
    node.stall()
    world.run(seconds=5)
    assert node.machine.phase is Phase.TRAINING
    node.go_on()
    assert node.machine.phase is Phase.UPLOADING
    world.run(rounds=1)
    assert world.rounds_done == 1


def test_nothing_is_sent_that_is_not_in_the_ledger() -> None:
    world = World(seed=1, num_nodes=2)
    world.run(rounds=3)
    for node in world.nodes.values():
        assert len([n for n in node.notes if n.digest]) == 3


def test_a_node_that_is_too_slow_sends_what_it_has_if_the_plan_takes_that() -> None:
    counted = {}
    for partial in (False, True):
        deadlines = DeadlinesSection(accept_s=5, update_s=20, partial=partial)
        rounds = RoundsSection(start_with=3)
        plan = msgspec.structs.replace(small_plan(), deadlines=deadlines, rounds=rounds)
        world = World(seed=1, num_nodes=3, plan=plan)
        slow = world.nodes[World.name("n1")]
        slow.train_s = 100.0
        world.run(rounds=1)
        counted[partial] = slow.name in world.coordinator.machine.rounds[1].survivors
        if partial:
            assert 0 < slow.trained_s < 20
    assert counted == {False: False, True: True}
