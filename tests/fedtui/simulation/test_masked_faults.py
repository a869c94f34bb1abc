"""Masked federations whose nodes and network fail: within the limits of the sum, and beyond."""

import numpy as np
import pytest
from masked_worlds import at, attempts, failures, finish, masked_plan, model, resume_all

from fedtui.rounds.federation import Phase
from fedtui.rounds.machine import Operator
from fedtui.rounds.plan import EvaluationSection, PrivacySection
from fedtui.rounds.records import Evaluated
from fedtui.simulation.network import Weather
from fedtui.simulation.world import World
from fedtui.wire.masked_messages import MaskedSums, Ready, Reveal, Shares, Vote
from fedtui.wire.messages import Accepting

PHASES = ["INVITING", "COLLECTING", "SHARING", "MASKING", "VOTING", "REVEALING"]
SAID = [Accepting, Ready, Shares, Vote, Reveal, MaskedSums]


# ---- R2: a node dies


@pytest.mark.parametrize("back_after_s", [None, 0.3])
@pytest.mark.parametrize("after", SAID)
def test_R2_a_node_dies_after_each_word_and_costs_only_itself(after, back_after_s) -> None:
    world = World(seed=4, num_nodes=5, plan=masked_plan(start_with=5))
    name, died = World.name("n2"), []

    def watch(sender: bytes, message: object) -> None:
        if sender == name and isinstance(message, after) and not died:
            died.append(message)
            world.clock.after(0.0, lambda: world.crash_node("n2", back_after_s=back_after_s))

    world._watchers.append(watch)
    finish(world)
    assert died
    assert world.rounds_done == 3
    assert attempts(world) == [(1, 1), (2, 1), (3, 1)]
    if back_after_s is not None:
        assert name in world.coordinator.machine.rounds[3].survivors, "it takes part again"


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("command", ["pause", "leave"])
def test_R2_pausing_and_leaving_in_each_phase_cost_only_the_node(phase: str, command) -> None:
    world = at(World(seed=4, num_nodes=5, plan=masked_plan(start_with=5)), phase)
    world.operator("n2", command)
    finish(world, seconds=120)
    assert attempts(world) == [(1, 1), (2, 1), (3, 1)]
    assert World.name("n2") not in world.coordinator.machine.rounds[-1].cohort


# ---- R3, P3: the limits. Ten nodes, two colluders: quorum and threshold 7, sums of 7 or more


def lose(world: World, num: int) -> set[bytes]:
    """As many nodes crash for good, those first from whom something is still due."""
    attempt = world.coordinator.machine.attempt
    due = sorted(attempt.awaited, key=lambda n: (n in attempt._answered, n))[:num]
    for name in due:
        world.crash_node(world.called(name))
    return set(due)


@pytest.mark.parametrize("phase", PHASES)
def test_R3_exactly_as_many_as_may_be_lost_and_the_sum_is_exact(phase: str) -> None:
    world = at(World(seed=11, num_nodes=10, plan=masked_plan(1, start_with=10)), phase)
    lost = lose(world, 3)
    finish(world, seconds=120)
    assert attempts(world) == [(1, 1)]
    survivors = set(world.coordinator.machine.rounds[1].survivors)
    if phase in {"VOTING", "REVEALING"}:
        assert len(survivors) == 10
    else:
        assert survivors == set(world.nodes) - lost


@pytest.mark.parametrize("phase", PHASES[2:])
def test_R3_P3_one_more_aborts_with_the_counts_and_moves_no_model(phase: str) -> None:
    plan = masked_plan(3, start_with=10)
    world = at(World(seed=11, num_nodes=10, plan=plan), phase)
    before = model(world)
    lose(world, 4)
    while not failures(world):
        world.clock.step()
    (failed,) = failures(world)
    assert f"while {_said(phase)}: 6 of 10 nodes" in failed.cause
    assert "7 are needed" in failed.cause
    assert model(world) == before
    world.heal()
    resume_all(world)
    finish(world)


def _said(phase: str) -> str:
    return {
        "SHARING": "nodes give each other sealed shares",
        "MASKING": "masked updates arrive",
        "VOTING": "the survivors vote",
        "REVEALING": "the survivors reveal",
    }[phase] + {
        "SHARING": " of their secrets",
        "MASKING": "",
        "VOTING": " for their sum",
        "REVEALING": " what opens the sum",
    }[phase]


def test_P3_no_sum_is_opened_of_fewer_than_two_honest_nodes() -> None:
    """Twenty nodes, of whom four may collude, and a plan that says `minimum = 3`."""
    privacy = PrivacySection(updates="masked", minimum=3)
    world = World(seed=1, num_nodes=20, plan=masked_plan(1, start_with=20, privacy=privacy))
    at(world, "COLLECTING")
    assert world.coordinator.machine.attempt.numbers.colluders == 4
    lose(world, 15)
    world.run(rounds=1, seconds=60)
    (failed,) = failures(world)
    assert "5 of 20 nodes were left, 6 are needed" in failed.cause


# ---- R6, R8: the network


@pytest.mark.parametrize("seed", range(3))
def test_R6_disorder_duplicates_stalls_and_broken_sessions(seed: int) -> None:
    weather = Weather(duplicates=0.3, disorder_s=0.3, latency_s=(0.01, 0.1))
    world = World(seed=seed, num_nodes=6, plan=masked_plan(4), weather=weather)
    rng = np.random.default_rng(seed)
    while world.coordinator.ended is None and world.clock.now < 3000:
        world.run(seconds=float(rng.uniform(0.2, 3.0)))
        name = f"n{rng.integers(1, 7)}"
        if rng.random() < 0.5:
            world.disconnect(World.name(name))
        else:
            world.stall(name, for_s=1.0)
        if rng.random() < 0.05 and world.coordinator.up:
            world.crash_coordinator(back_after_s=0.5)
        resume_all(world)
    finish(world)


@pytest.mark.parametrize("phase", ["SHARING", "MASKING", "VOTING", "REVEALING"])
@pytest.mark.parametrize("way", ["both", "up", "down"])
def test_R8_a_partition_in_each_phase_heals(phase: str, way) -> None:
    world = at(World(seed=2, num_nodes=5, plan=masked_plan(start_with=5)), phase)
    world.partition("n1", for_s=6.0, way=way)
    finish(world, seconds=300)
    assert attempts(world)[0] == (1, 1)
    assert failures(world) == []


def test_R7_clocks_years_apart() -> None:
    world = World(seed=2, num_nodes=4, plan=masked_plan())
    for number, node in enumerate(world.nodes.values()):
        node.clock_offset_s = (number - 2) * 3e8
    finish(world, seconds=60)
    assert {attempt for _, attempt in attempts(world)} == {1}


# ---- measuring


def scores(world: World) -> list[Evaluated]:
    return [r for r in world.coordinator.records if isinstance(r, Evaluated)]


def test_the_score_is_of_the_sums_of_all_who_measured_exactly() -> None:
    world = World(seed=6, num_nodes=5, plan=masked_plan(start_with=5))
    finish(world)
    assert len(scores(world)) == 3
    for record in scores(world):
        sums = [world.measure(node, record.round) for node in world.nodes.values()]
        assert record.sums == {name: sum(one[name] for one in sums) for name in sums[0]}
        assert record.num_nodes == 5


def test_an_evaluator_measures_in_the_clear_and_participants_do_not() -> None:
    plan = masked_plan(evaluation=EvaluationSection(with_evaluator=True))
    world = World(seed=9, num_nodes=4, plan=plan)
    (name,) = world.join(1, role="evaluator")
    said: list[type] = []
    world._watchers.append(lambda _, message: said.append(type(message)))
    finish(world)
    assert [r.num_nodes for r in scores(world)] == [1, 1, 1]
    assert all(r.sums["examples"] == world.nodes[name].num_examples for r in scores(world))
    assert MaskedSums not in said


@pytest.mark.parametrize("phase", ["COLLECTING", "SHARING", "MASKING", "VOTING", "REVEALING"])
def test_too_few_measure_and_there_is_no_score_but_rounds_go_on(phase: str) -> None:
    world = World(seed=6, num_nodes=4, plan=masked_plan(2, start_with=4))
    at(world, phase, evaluating=True)
    for text in ("n1", "n2"):
        world.crash_node(text, back_after_s=20.0)
    finish(world)
    assert world.rounds_done == 2
    assert world.coordinator.machine.rounds[1].score is None
    assert world.coordinator.machine.rounds[2].score is not None
    assert failures(world) == [], "a score that failed is no failed round"


@pytest.mark.parametrize("phase", ["COLLECTING", "SHARING", "MASKING"])
def test_R1_an_evaluation_begins_anew_after_a_restart(phase: str) -> None:
    world = World(seed=6, num_nodes=4, plan=masked_plan(2, start_with=4))
    at(world, phase, evaluating=True)
    world.crash_coordinator(back_after_s=0.5)
    finish(world)
    assert [r.round for r in scores(world)] == [1, 2]
    assert world.rounds_done == 2


@pytest.mark.parametrize("phase", ["VOTING", "REVEALING"])
def test_R1_who_voted_for_sums_measures_that_model_no_more(phase: str) -> None:
    world = World(seed=6, num_nodes=4, plan=masked_plan(2, start_with=4))
    at(world, phase, evaluating=True)
    world.run(seconds=0.02)  # all have voted by now
    world.coordinator.crash()
    world.coordinator.restart()
    finish(world)
    assert world.rounds_done == 2
    assert world.coordinator.machine.rounds[2].score is not None


def test_pausing_the_federation_ends_after_what_is_under_way() -> None:
    world = at(World(seed=6, num_nodes=4, plan=masked_plan()), "REVEALING")
    world.lie(Operator("pause"))
    world.run(seconds=60)
    assert world.coordinator.machine.phase is Phase.PAUSED
    assert world.rounds_done == 1
    world.crash_coordinator(back_after_s=1.0)
    world.run(seconds=30)
    assert world.coordinator.machine.phase is Phase.PAUSED
    world.lie(Operator("resume"))
    finish(world)
