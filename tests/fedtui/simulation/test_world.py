"""Whole federations under every fault of the catalogue that applies, by ID; one seed a run."""

import numpy as np
import pytest
from visible_worlds import attempts, dies_at, finish, model, plan

from fedtui.rounds.federation import Phase
from fedtui.rounds.plan import (
    EvaluationSection,
    RoundsSection,
)
from fedtui.rounds.records import (
    Evaluated,
    RoundFailed,
    RoundStarted,
)
from fedtui.simulation.network import Weather
from fedtui.simulation.world import World
from fedtui.wire.messages import Accepting, Evaluation, Progress, Waiting

YEARS_S = 10 * 365 * 86400.0


# ---- R2: a node dies


@pytest.mark.parametrize("back_after_s", [None, 0.5, 8.0])
@pytest.mark.parametrize("after", [Accepting, Progress, Evaluation])
def test_R2_node_dies_at_each_phase(after, back_after_s: float | None) -> None:
    for seed in range(3):
        world = World(seed=seed, num_nodes=4, plan=plan(start_with=4))
        name = World.name("n2")
        died: list[float] = []

        def watch(sender, message, world=world, name=name, died=died) -> None:
            if sender == name and isinstance(message, after) and not died:
                died.append(world.clock.now)
                world.clock.after(0.05, lambda: world.crash_node("n2", back_after_s=back_after_s))

        world._watchers.append(watch)
        if after is Progress:  # simulated training says nothing: die in the middle of it
            world.run(seconds=1.8)
            world.crash_node("n2", back_after_s=back_after_s)
        finish(world)
        assert world.rounds_done == 3
        assert {a for _, a in attempts(world)} == {1}, "one node cost an attempt"


def test_R2_a_node_that_returns_goes_on_with_the_same_attempt() -> None:
    world = World(seed=1, num_nodes=3, plan=plan(maximum=1, minimum=3))
    while world.coordinator.machine.phase is not Phase.ROUND:
        world.clock.step()
    world.run(seconds=0.2)
    world.crash_node("n1", back_after_s=0.5)
    finish(world)
    assert attempts(world) == [(1, 1)]
    assert len(world.coordinator.machine.rounds[1].survivors) == 3


# ---- R6, R7, R8: the network and the clocks


@pytest.mark.parametrize("seed", range(10))
def test_R6_disorder_duplicates_and_broken_sessions(seed: int) -> None:
    weather = Weather(duplicates=0.3, disorder_s=0.4, latency_s=(0.01, 0.3))
    world = World(seed=seed, num_nodes=5, plan=plan(maximum=5), weather=weather)
    rng = np.random.default_rng(seed)
    while world.coordinator.ended is None and world.clock.now < 1800:
        world.run(seconds=float(rng.uniform(0.2, 3.0)))
        world.disconnect(World.name(f"n{rng.integers(1, 6)}"))
        if rng.random() < 0.05 and world.coordinator.up:
            world.crash_coordinator(back_after_s=0.5)
    finish(world)
    assert world.rounds_done == 5


@pytest.mark.parametrize("offset_s", [-YEARS_S, YEARS_S])
@pytest.mark.parametrize("who", ["coordinator", "nodes"])
def test_R7_clocks_years_apart(offset_s: float, who: str) -> None:
    world = World(seed=2, num_nodes=4, plan=plan())
    hosts = [world.coordinator] if who == "coordinator" else list(world.nodes.values())
    if who == "coordinator":
        world.coordinator.crash()
        world.coordinator.clock_offset_s = offset_s
        world.coordinator.restart()
    else:
        for host in hosts:
            host.clock_offset_s = offset_s
    finish(world, seconds=60)
    assert {a for _, a in attempts(world)} == {1}


@pytest.mark.parametrize("step_s", [-YEARS_S, -30.0, 30.0, YEARS_S])
@pytest.mark.parametrize("who", ["coordinator", "n1"])
def test_R7_a_clock_steps_during_a_round(step_s: float, who: str) -> None:
    world = World(seed=2, num_nodes=4, plan=plan())
    while world.coordinator.machine.phase is not Phase.ROUND:
        world.clock.step()
    world.run(seconds=0.3)
    world.crash_node("n4")  # so that something has to be waited for
    host = world.coordinator if who == "coordinator" else world.nodes[World.name(who)]
    host.clock_offset_s += step_s
    finish(world, seconds=120)
    assert world.rounds_done == 3


@pytest.mark.parametrize("way", ["both", "up", "down"])
@pytest.mark.parametrize("for_s", [1.0, 6.0, 50.0])
def test_R8_partitions_heal(way, for_s: float) -> None:
    world = World(seed=2, num_nodes=4, plan=plan(maximum=4))
    world.run(rounds=1)
    world.partition("n1", for_s=for_s, way=way)
    finish(world, seconds=300)
    assert world.rounds_done == 4


# ---- A4, E2: stragglers, the silent, the revoked


@pytest.mark.parametrize("kind", ["slow", "silent"])
def test_A4_thirty_percent_stragglers_or_silent(kind: str) -> None:
    world = World(seed=4, num_nodes=10, plan=plan(minimum=7, start_with=10))
    for number in (2, 5, 9):
        node = world.nodes[World.name(f"n{number}")]
        if kind == "slow":
            node.train_s = 1000.0
        else:
            world.clock.after(1.02, node.stall)
    finish(world, seconds=300)
    for record in world.coordinator.machine.rounds[1:]:
        assert len(record.survivors) >= 7
    assert not [r for r in world.coordinator.records if isinstance(r, RoundFailed)]


def test_A4_too_many_silent_fails_with_the_counts() -> None:
    world = World(seed=4, num_nodes=5, plan=plan(minimum=4, start_with=5))
    world.run(seconds=1.5)
    for number in (1, 2):
        world.nodes[World.name(f"n{number}")].stall()
    world.run(seconds=60)
    failed = [r for r in world.coordinator.records if isinstance(r, RoundFailed)]
    assert failed
    assert failed[0].cause.startswith("3 of 5 nodes were left, 4 are needed (2: ")


@pytest.mark.parametrize("moment", ["gathering", "inviting", "training", "measuring"])
def test_E2_revoked_at_each_phase(moment: str) -> None:
    world = World(seed=6, num_nodes=4, plan=plan(start_with=3))
    machine = world.coordinator.machine
    until = {
        "gathering": lambda: len(machine.present) == 1,
        "inviting": lambda: machine.phase is Phase.ROUND,
        "training": lambda: machine.attempt and machine.attempt.phase.name == "COLLECTING",
        "measuring": lambda: machine.phase is Phase.EVALUATING,
    }[moment]
    while not until():
        world.clock.step()
    name = min(machine.present)
    world.revoke(world.called(name))
    at = world.clock.now
    finish(world, seconds=60)
    assert world.rounds_done == 3
    later = [r for r in world.coordinator.records if isinstance(r, RoundStarted)]
    assert name not in later[-1].cohort
    assert world.clock.now - at < 60
    assert {a for _, a in attempts(world)} == {1}


# ---- coming and going


def test_late_joiners_take_part_from_the_next_round_on() -> None:
    world = World(seed=7, num_nodes=2, plan=plan(maximum=4))
    world.run(rounds=1)
    (late,) = world.join(1)
    finish(world)
    cohorts = [r.cohort for r in world.coordinator.machine.rounds[1:]]
    assert late not in cohorts[0]
    assert late in cohorts[-1]


def test_a_leaver_in_the_middle_of_a_round_does_not_hold_it_up() -> None:
    world = World(seed=7, num_nodes=4, plan=plan())
    while world.coordinator.machine.phase is not Phase.ROUND:
        world.clock.step()
    world.run(seconds=0.2)
    world.operator("n1", "leave")
    finish(world, seconds=30)
    assert World.name("n1") not in world.coordinator.machine.rounds[-1].cohort


def test_a_paused_node_is_not_asked_until_it_resumes() -> None:
    world = World(seed=7, num_nodes=4, plan=plan(maximum=6))
    world.run(rounds=1)
    world.operator("n1", "pause")
    world.run(rounds=4)
    world.operator("n1", "resume")
    finish(world)
    cohorts = [World.name("n1") in r.cohort for r in world.coordinator.machine.rounds]
    assert cohorts[1]
    assert not cohorts[4]
    assert cohorts[6]


def test_waiting_for_two_of_five_is_said_once() -> None:
    world = World(seed=8, num_nodes=2, plan=plan(rounds=RoundsSection(start_with=5, maximum=1)))
    heard: dict[bytes, list[Waiting]] = {}
    deliver = world.to_node

    def to_node(name: bytes, message) -> None:
        if isinstance(message, Waiting):
            heard.setdefault(name, []).append(message)
        deliver(name, message)

    world.to_node = to_node  # type: ignore[method-assign]
    world.run(seconds=600)
    assert world.rounds_done == 0
    for messages in heard.values():
        assert (messages[-1].present, messages[-1].needed) == (2, 5)
        said = [(m.present, m.needed) for m in messages]
        assert len(said) == len(set(said)), "said twice without a change"
    world.join(3)
    finish(world)


def test_an_evaluator_is_the_one_who_measures() -> None:
    world = World(
        seed=9, num_nodes=3, plan=plan(evaluation=EvaluationSection(with_evaluator=True))
    )
    (name,) = world.join(1, role="evaluator")
    finish(world)
    records = [r for r in world.coordinator.records if isinstance(r, Evaluated)]
    assert len(records) == 3
    assert all(r.sums["examples"] == world.nodes[name].num_examples for r in records)
    assert all(name not in r.cohort for r in world.coordinator.machine.rounds)


@pytest.mark.parametrize("what", ["absent", "silent", "gone"])
def test_no_evaluator_no_score_but_rounds_go_on(what: str) -> None:
    world = World(
        seed=9, num_nodes=3, plan=plan(evaluation=EvaluationSection(with_evaluator=True))
    )
    if what != "absent":
        (name,) = world.join(1, role="evaluator")
        node = world.nodes[name]
        node.train_s = 10_000.0
        if what == "gone":
            world.drop("n4", after=Accepting)
            world.clock.after(1.0, lambda: world.crash_node("n4"))
    finish(world, seconds=200)
    assert all(r.score is None for r in world.coordinator.machine.rounds)


def test_an_evaluator_that_comes_back_is_asked_again_after_a_restart() -> None:
    world = World(
        seed=9, num_nodes=3, plan=plan(evaluation=EvaluationSection(with_evaluator=True))
    )
    world.join(1, role="evaluator")
    world.coordinator.crash_plan = dies_at("before", Evaluated, 0)
    while world.coordinator.up:
        world.clock.step()
    world.coordinator.restart()
    finish(world)
    assert all(r.score is not None for r in world.coordinator.machine.rounds[1:])


# ---- the same seed


def traced(seed: int, **more: object) -> World:
    world = World(seed=seed, num_nodes=5, plan=plan(maximum=4, minimum=5), **more)
    world.traced = True
    return finish(world)


@pytest.mark.parametrize("seed", range(20))
def test_same_seed_same_run_event_for_event(seed: int) -> None:
    weather = Weather(duplicates=0.2, disorder_s=0.2)
    one, two = traced(seed, weather=weather), traced(seed, weather=weather)
    assert one.trace.digest() == two.trace.digest()
    assert one.clock.num_run == two.clock.num_run
    assert model(one) == model(two)


@pytest.mark.parametrize("seed", range(5))
def test_other_weather_other_order_same_model(seed: int) -> None:
    calm = traced(seed)
    rough = traced(seed, weather=Weather(latency_s=(0.01, 2.0)))
    assert calm.trace.digest() != rough.trace.digest(), "the weather changed nothing"
    assert model(calm) == model(rough)
    assert [r.sums for r in calm.coordinator.machine.rounds] == [
        r.sums for r in rough.coordinator.machine.rounds
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_stays_bounded_over_ten_thousand_rounds() -> None:
    world = World(seed=1, num_nodes=3, plan=plan(maximum=10_000))
    finish(world, seconds=1e7)
    machine = world.coordinator.machine
    assert len(machine.rounds) == 10_001
    assert len(machine.failures) == 0
    assert len(world.streams) <= 3
    assert len(world.coordinator.models) < 10
    assert len(world.coordinator.spool) == 0
    world.invariants.remembered()
