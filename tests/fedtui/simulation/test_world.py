"""Whole federations under every fault of the catalogue that applies, by ID; one seed a run."""

import msgspec
import numpy as np
import pytest

from fedtui.rounds.federation import Phase
from fedtui.rounds.machine import Operator, Train
from fedtui.rounds.plan import (
    DeadlinesSection,
    EvaluationSection,
    Named,
    Plan,
    RoundsSection,
    SelectionSection,
)
from fedtui.rounds.records import (
    Evaluated,
    FederationEnded,
    PhaseEntered,
    Record,
    RoundFailed,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)
from fedtui.simulation.network import Weather
from fedtui.simulation.world import World, small_plan
from fedtui.wire.messages import Accepting, Evaluation, Progress, Waiting

YEARS_S = 10 * 365 * 86400.0


def plan(
    maximum: int = 3, minimum: int = 2, start_with: int | None = None, **sections: object
) -> Plan:
    changes = {
        "rounds": RoundsSection(maximum=maximum, start_with=start_with),
        "selection": SelectionSection(minimum=minimum),
        "deadlines": DeadlinesSection(accept_s=5, update_s=20, rejoin_s=3, evaluate_s=10),
    } | sections
    return msgspec.structs.replace(small_plan(), **changes)


def finish(world: World, seconds: float = 3600.0) -> World:
    """Run to the end, which must come, and must be remembered."""
    world.run(seconds=seconds)
    assert world.coordinator.ended is not None, "the federation did not end"
    world.invariants.remembered()
    return world


def attempts(world: World) -> list[tuple[int, int]]:
    return [(r.round, r.attempt) for r in world.coordinator.records if isinstance(r, RoundStarted)]


def model(world: World) -> bytes:
    machine = world.coordinator.machine
    return world.coordinator.models[machine.model.digest].tobytes()


# ---- R1: the coordinator dies at every point

POINTS: list[tuple[str, type[Record] | str]] = [
    (when, kind)
    for kind in (
        RoundStarted,
        "COLLECTING",
        UpdateReceived,
        SurvivorsChosen,
        RoundFinished,
        Evaluated,
        FederationEnded,
    )
    for when in ("before", "after")
]


def dies_at(when: str, kind: type[Record] | str, skip: int):
    """A plan that cuts the power at the `skip`-th such record after round 0."""
    left = [skip]

    def plan_(at: str, record: Record) -> bool:
        is_kind = (
            isinstance(record, PhaseEntered) and record.phase == kind
            if isinstance(kind, str)
            else isinstance(record, kind)
        )
        if at != when or not is_kind:
            return False
        left[0] -= 1
        return left[0] < 0

    return plan_


def crash_run(seed: int) -> None:
    when, kind = POINTS[seed % len(POINTS)]
    world = World(seed=seed, num_nodes=4, plan=plan())
    skip = 0 if kind is FederationEnded else seed // len(POINTS) % 3
    world.coordinator.crash_plan = dies_at(when, kind, skip)
    while world.coordinator.up and world.clock.now < 600:
        world.clock.step()
    assert not world.coordinator.up, "the planned crash did not come"
    num_started = len(attempts(world))
    world.clock.after(1.0 + seed % 7, world.coordinator.restart)
    world.run(seconds=20)
    finish(world)
    assert world.rounds_done == 3
    assert world.coordinator.incarnation == 2
    lost = [a for a in attempts(world)[: num_started + 1] if a[1] > 1]
    assert len(lost) <= 1, "more than one attempt lost"
    assert len(attempts(world)) <= 4
    assert max(a for _, a in attempts(world)) <= 2


@pytest.mark.parametrize("point", range(len(POINTS)))
def test_R1_coordinator_dies_at_every_phase_point(point: int) -> None:
    crash_run(point)


@pytest.mark.slow
def test_R1_two_hundred_seeds() -> None:
    for seed in range(200):
        crash_run(seed)


def test_R1_survivors_chosen_before_the_crash_are_the_survivors_after_it() -> None:
    world = World(seed=5, num_nodes=4, plan=plan(maximum=1))
    world.coordinator.crash_plan = dies_at("after", SurvivorsChosen, 0)
    while world.coordinator.up:
        world.clock.step()
    world.coordinator.restart()
    finish(world)
    assert attempts(world) == [(1, 1)], "the attempt was not resumed"


def test_R1_training_outlives_the_coordinator_and_is_not_begun_anew() -> None:
    everybody = SelectionSection(fraction=1.0, minimum=2)
    world = World(seed=5, num_nodes=4, plan=plan(1, start_with=4, selection=everybody))
    begun: list[int] = []
    begin = world.work.begin

    def counting(node, effect):
        if isinstance(effect, Train):
            begun.append(effect.attempt)
        return begin(node, effect)

    world.work.begin = counting
    for seconds, node in zip((2.0, 8.0, 8.0, 8.0), world.nodes.values(), strict=True):
        node.train_s = seconds
    world.coordinator.crash_plan = dies_at("after", UpdateReceived, 0)
    while world.coordinator.up:
        world.clock.step()
    world.clock.after(2.0, world.coordinator.restart)
    finish(world)
    assert attempts(world) == [(1, 1), (1, 2)]
    finished = [r for r in world.coordinator.records if isinstance(r, RoundFinished) and r.round]
    assert [(r.round, r.attempt) for r in finished] == [(1, 2)]
    assert begun == [1] * 4, "trained anew"


def test_R1_crash_after_the_last_round_starts_no_other_round() -> None:
    world = World(seed=5, num_nodes=3, plan=plan(maximum=2))
    world.coordinator.crash_plan = dies_at("after", RoundFinished, 1)
    while world.coordinator.up:
        world.clock.step()
    world.coordinator.restart()
    finish(world)
    assert world.rounds_done == 2
    assert world.coordinator.machine.rounds[2].score is not None, "it is measured after all"


def test_R1_a_restart_after_the_last_round_ends_even_if_nobody_comes_back() -> None:
    world = World(seed=5, num_nodes=3, plan=plan(maximum=2))
    world.coordinator.crash_plan = dies_at("after", RoundFinished, 1)
    while world.coordinator.up:
        world.clock.step()
    for name in ("n1", "n2", "n3"):
        world.crash_node(name)
    world.coordinator.restart()
    finish(world, seconds=60)


def test_R1_paused_stays_paused_and_resumes_after_a_restart() -> None:
    world = World(seed=5, num_nodes=3, plan=plan(maximum=3))
    world.run(rounds=1)
    world.lie(Operator("pause"))
    world.run(seconds=60)
    assert world.coordinator.machine.phase is Phase.PAUSED
    world.crash_coordinator(back_after_s=1.0)
    world.run(seconds=60)
    assert world.coordinator.machine.phase is Phase.PAUSED
    world.lie(Operator("resume"))
    finish(world)


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


@pytest.mark.parametrize("strategy", ["fedavgm", "fedopt"])
@pytest.mark.parametrize("point", range(len(POINTS)))
def test_R1_what_the_strategy_keeps_is_neither_lost_nor_counted_twice(
    point: int, strategy: str
) -> None:
    """Rounds are undone and done again, and the models are what the committed updates make."""
    when, kind = POINTS[point]
    if kind is FederationEnded:
        return
    text = plan(minimum=4, strategy=Named(name=strategy))
    world = World(seed=point, num_nodes=4, plan=text)
    world.coordinator.crash_plan = dies_at(when, kind, 1)
    while world.coordinator.up and world.clock.now < 600:
        world.clock.step()
    assert not world.coordinator.up, "the planned crash did not come"
    world.clock.after(2.0, world.coordinator.restart)
    finish(world)
    calm = finish(World(seed=point, num_nodes=4, plan=text))
    assert model(world) == model(calm)
