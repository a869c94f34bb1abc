"""Rounds after rounds: who is waited for and when; nothing that anybody says breaks it."""

import pytest
from desk import Desk, make_plan, name
from hypothesis import given
from hypothesis import strategies as st

from fedtui.rounds.federation import NUM_FAILURES_KEPT, Phase
from fedtui.rounds.machine import (
    AggregationFailed,
    Discard,
    Finished,
    Joined,
    Left,
    Operator,
    RefuseUpdate,
    Said,
    Tick,
    UpdateArrived,
    UpdateBroken,
)
from fedtui.rounds.plan import (
    DeadlinesSection,
    EvaluationSection,
    RoundsSection,
    SelectionSection,
    TaskSection,
)
from fedtui.rounds.records import RoundFailed, RoundStarted
from fedtui.wire.codec import decode, encode
from fedtui.wire.messages import Away, Control, Ended, Evaluate, Leaving, UpdateHeader, Waiting

# ---- waiting


def test_waiting_is_told_once_per_change_and_to_who_joins() -> None:
    desk = Desk(make_plan(selection=SelectionSection(minimum=3)))
    desk.join(1)
    assert [(n, m.present, m.needed) for n, m in desk.sent(Waiting)] == [(name(1), 1, 3)]
    desk.put(Tick(), after_s=1.0)
    assert not desk.sent(Waiting)
    desk.put(Joined(name(9), "observer"), after_s=1.0)
    assert [n for n, _ in desk.sent(Waiting)] == [name(9)]
    desk.put(Joined(name(2), "participant"), after_s=1.0)
    assert {(n, m.present) for n, m in desk.sent(Waiting)} == {
        (name(1), 2),
        (name(2), 2),
        (name(9), 2),
    }
    desk.put(Said(name(2), Away(away=True)), after_s=1.0)
    assert {m.present for _, m in desk.sent(Waiting)} == {1}


def test_a_thousand_nodes_joining_at_once_cost_few_messages() -> None:
    desk = Desk(make_plan(rounds=RoundsSection(start_with=2000)))
    told = 0
    for number in range(1000):
        desk.put(Joined(name(number), "participant"), after_s=0.001)
        told += len(desk.sent(Waiting))
    assert told < 10_000
    due = desk.federation.deadline
    assert due is not None
    desk.put(Tick(), after_s=due - desk.now)
    assert {m.present for _, m in desk.sent(Waiting)} == {1000}
    assert desk.federation.deadline is None


def test_start_with_holds_for_the_first_attempt_only() -> None:
    desk = Desk(make_plan(rounds=RoundsSection(start_with=4)))
    desk.join(1, 2, 3)
    desk.put(Tick(), after_s=1e6)
    assert desk.federation.phase is Phase.GATHERING
    desk.join(4)
    for number in (1, 2, 3):
        desk.put(Left(name(number), for_good=True))
    assert isinstance(desk.records[-1], RoundFailed)
    desk.join(1)
    assert desk.federation.phase is Phase.GATHERING
    desk.put(Tick(), after_s=3.0)
    assert desk.federation.phase is Phase.ROUND


def test_after_a_restart_those_who_took_part_are_waited_for_a_while() -> None:
    desk = Desk(make_plan(rounds=RoundsSection(start_with=3)))
    desk.join(1, 2, 3)
    desk.round(1, 2, 3)
    desk.restart()
    desk.join(1, 2)
    assert desk.federation.phase is Phase.GATHERING
    desk.put(Joined(name(3), "participant"), after_s=1.0)
    assert desk.federation.phase is Phase.ROUND
    desk.restart()
    desk.join(1, 2)
    desk.put(Tick(), after_s=3.0)
    assert desk.federation.phase is Phase.ROUND


def test_pauses_grow_with_failures_and_memory_does_not() -> None:
    desk = Desk()
    desk.join(1, 2)
    pauses = []
    for _ in range(1100):  # 2.0 ** 1024 is no float
        if desk.federation.phase is Phase.GATHERING:
            due = desk.federation.deadline
            assert due is not None
            pauses.append(due - desk.now)
            desk.put(Tick(), after_s=due - desk.now)
        desk.accept(1, 2)
        desk.deliver(1, 2)
        desk.put(AggregationFailed(1, desk.attempt.attempt, "disk full"))
    assert pauses[:4] == pytest.approx([0.5, 1.0, 2.0, 4.0])
    assert pauses[-1] == pytest.approx(30.0)
    assert len(desk.federation.failures) == NUM_FAILURES_KEPT


def test_selection_by_fraction_and_count() -> None:
    for section, size in (
        (SelectionSection(fraction=0.07, minimum=2), 7),
        (SelectionSection(fraction=0.3, minimum=2), 30),
        (SelectionSection(count=12, minimum=2), 12),
        (SelectionSection(fraction=0.01, minimum=5), 5),
    ):
        desk = Desk(make_plan(selection=section, rounds=RoundsSection(start_with=100)))
        desk.join(*range(100))
        assert len(desk.attempt.members) == size


# ---- the operator, in each phase


def at(phase: str) -> Desk:
    desk = Desk()
    desk.join(1)
    if phase == "gathering":
        return desk
    desk.join(2)
    if phase == "inviting":
        return desk
    desk.accept(1, 2)
    if phase == "collecting":
        return desk
    desk.deliver(1, 2)
    if phase == "aggregating":
        return desk
    desk.aggregated()
    return desk


PHASES = ["gathering", "inviting", "collecting", "aggregating", "evaluating"]


@pytest.mark.parametrize("phase", PHASES)
def test_stop_in_each_phase(phase: str) -> None:
    desk = at(phase)
    under_way = phase in PHASES[1:4]
    desk.put(Operator("stop", by="anna"))
    assert desk.federation.ended == "ended by anna"
    assert desk.of(Finished)
    assert bool(desk.of(Discard)) == under_way
    assert len(desk.sent(Ended)) == len(desk.federation.present)
    records = len(desk.records)
    for event in (Operator("stop"), Operator("pause"), Operator("resume"), Tick()):
        desk.put(event)
    assert len(desk.records) == records
    desk.put(Joined(name(3), "participant"))
    assert desk.sent(Ended)
    desk.restart()
    assert desk.federation.phase is Phase.ENDED
    assert desk.federation.deadline is None


@pytest.mark.parametrize("phase", PHASES)
def test_pause_in_each_phase_lets_the_round_end_first(phase: str) -> None:
    desk = at(phase)
    desk.put(Operator("pause"))
    desk.put(Operator("pause"))
    if phase == "inviting":
        desk.accept(1, 2)
    if phase in {"inviting", "collecting"}:
        desk.deliver(1, 2)
    if phase in {"inviting", "collecting", "aggregating"}:
        desk.aggregated()
    if phase != "gathering":
        assert desk.federation.phase is Phase.EVALUATING
        desk.evaluate(1, 2)
    assert desk.federation.phase is Phase.PAUSED
    desk.join(3)
    assert [m.paused for _, m in desk.sent(Waiting)] == [True]
    desk.restart()
    assert desk.federation.phase is Phase.PAUSED
    desk.join(1, 2, 3)
    desk.put(Operator("resume"))
    desk.put(Tick(), after_s=4.0)
    assert desk.federation.phase is Phase.ROUND
    assert not desk.put(Operator("resume"))


@pytest.mark.parametrize("phase", PHASES)
def test_restart_in_each_phase(phase: str) -> None:
    desk = at(phase)
    desk.restart()
    expected = {"aggregating": Phase.ROUND, "evaluating": Phase.EVALUATING}
    assert desk.federation.phase is expected.get(phase, Phase.GATHERING)
    desk.join(1, 2)
    if phase == "aggregating":
        assert [c.node for c in desk.attempt.contributions.values()] == [name(1), name(2)]
        desk.aggregated()
    if phase in {"aggregating", "evaluating"}:
        assert desk.federation.phase is Phase.EVALUATING
        desk.evaluate(1, 2)
    desk.put(Tick(), after_s=4.0)
    assert desk.federation.phase is Phase.ROUND
    started = [r for r in desk.records if isinstance(r, RoundStarted)]
    assert (started[-1].round, started[-1].attempt) == {
        "gathering": (1, 1),
        "inviting": (1, 2),
        "collecting": (1, 2),
    }.get(phase, (2, 1))


def test_a_model_that_nobody_measured_is_measured_after_a_restart() -> None:
    desk = at("evaluating")
    desk.restart()
    desk.join(1)
    assert [n for n, _ in desk.sent(Evaluate)] == [name(1)]
    desk.evaluate(1)
    desk.put(Tick(), after_s=3.0)  # n2 does not come back
    assert desk.federation.rounds[-1].score == 0.5
    assert desk.federation.rounds[-1].num_evaluators == 1


# ---- messages out of turn


@pytest.mark.parametrize("phase", ["gathering", "evaluating"])
def test_S9_updates_outside_of_a_round_are_refused(phase: str) -> None:
    desk = at("collecting")
    opened, arrived = desk.opened(1), desk.arrived(1)
    broken = UpdateBroken(name(1), 1, 1, 1, reason="NaN")
    desk = at(phase)
    for event in (opened, arrived, broken):
        desk.put(event)
        (refused,) = desk.of(RefuseUpdate)
        assert refused.reason == "round 1 attempt 1 is over"


def test_E2_leaving_counts_at_once_in_a_round_and_in_an_evaluation() -> None:
    desk = at("collecting")
    desk.put(Joined(name(3), "participant"))
    desk.deliver(1)
    desk.put(Said(name(2), Leaving()))
    assert isinstance(desk.records[-1], RoundFailed)
    desk = at("evaluating")
    desk.evaluate(1)
    desk.put(Said(name(2), Leaving()))
    assert desk.federation.phase is not Phase.EVALUATING


def test_an_evaluator_is_awaited_while_its_grace_lasts() -> None:
    plan = make_plan(evaluation=EvaluationSection(with_evaluator=True))
    desk = Desk(plan)
    desk.join(1, 2)
    desk.put(Joined(name(9), "evaluator"))
    desk.accept(1, 2)
    desk.deliver(1, 2)
    desk.aggregated()
    assert [n for n, _ in desk.sent(Evaluate)] == [name(9)]
    desk.put(Left(name(9)))
    desk.put(Joined(name(9), "evaluator"), after_s=1.0)
    assert [n for n, _ in desk.sent(Evaluate)] == [name(9)]
    desk.put(Left(name(9)))
    desk.put(Tick(), after_s=2.9)
    assert desk.federation.phase is Phase.EVALUATING
    desk.put(Tick(), after_s=0.2)
    assert desk.federation.phase is Phase.ROUND


@pytest.mark.parametrize("step_s", [-3e8, 3e8])
def test_R7_a_clock_that_steps_never_blocks_a_round(step_s: float) -> None:
    desk = at("inviting")
    desk.accept(1, 2)
    desk.deliver(1)
    desk.put(Tick(), after_s=step_s)
    due = desk.federation.deadline
    assert due is None or due - desk.now < 30
    while desk.federation.attempt is None or desk.attempt.attempt == 1:
        due = desk.federation.deadline
        assert due is not None
        desk.put(Tick(), after_s=max(0.0, due - desk.now))
    assert len([r for r in desk.records if isinstance(r, RoundFailed)]) == 1


# ---- anything at all

any_float = st.floats(allow_nan=True, allow_infinity=True)
any_sums = st.dictionaries(
    st.sampled_from(["loss_sum", "correct", "examples", "squared_error", "target_sum", "y"]),
    any_float | st.floats(0, 100) | st.integers(0, 10).map(float),
    max_size=6,
)


@given(
    metric=st.sampled_from(["accuracy", "loss", "rmse", "r2"]),
    training=st.lists(any_sums, min_size=3, max_size=3),
    measured_=st.lists(any_sums, min_size=3, max_size=3),
    examples=st.lists(st.integers(1, 2**40), min_size=3, max_size=3),
)
def test_no_sums_ever_raise_and_all_answers_can_be_read(
    metric, training, measured_, examples
) -> None:
    desk = Desk(make_plan(task=TaskSection(name="x", metric=metric)))
    desk.join(1, 2, 3)
    if len(desk.attempt.members) < 3:
        desk.accept(1, 2)
    for number in (1, 2):
        desk.accept(number)
        header = UpdateHeader(num_examples=examples[number], sums=training[number])
        desk.put(desk.opened(number, header=header))
        desk.put(desk.arrived(number))
    desk.aggregated()
    sent = list(desk.sent(object))
    for number in (1, 2):
        desk.evaluate(number, sums=measured_[number])
        sent += desk.sent(object)
    for _, message in sent:
        assert decode(encode(message), Control) == message
    desk.restart()


def test_what_arrives_for_nobody_is_refused() -> None:
    desk = at("collecting")
    desk.put(UpdateArrived(name(7), 3, 1, 1, bytes(32)))
    assert desk.of(RefuseUpdate)


def test_an_evaluator_away_for_a_moment_when_the_last_round_ends_still_measures_it() -> None:
    plan = make_plan(
        evaluation=EvaluationSection(with_evaluator=True), rounds=RoundsSection(maximum=1)
    )
    desk = Desk(plan)
    desk.join(1, 2)
    desk.put(Joined(name(9), "evaluator"))
    desk.accept(1, 2)
    desk.put(Left(name(9)))
    desk.deliver(1, 2)
    desk.aggregated()
    assert desk.federation.ended is None
    desk.put(Joined(name(9), "evaluator"), after_s=1.0)
    assert [n for n, _ in desk.sent(Evaluate)] == [name(9)]


# ---- a round now


def test_the_operator_may_begin_with_those_who_are_here() -> None:
    desk = Desk(make_plan(rounds=RoundsSection(start_with=4)))
    desk.join(1)
    desk.put(Operator("next"))
    assert desk.federation.phase is Phase.GATHERING, "never with fewer than the minimum"
    desk.join(2)
    assert desk.federation.phase is Phase.ROUND
    desk.put(Operator("next"))
    assert desk.attempt.owing == [name(1), name(2)]


# ---- selection and learned deadlines, over a restart

LEARNING = DeadlinesSection(
    accept_s=5, update_s=60, rejoin_s=3, evaluate_s=10, learn=True, quantile=0.5, slack=2.0
)


def lived(selection: SelectionSection, *, restarts: bool) -> list[tuple[tuple[bytes, ...], float]]:
    """The cohorts and deadlines of six rounds of six nodes, each as slow as its number."""
    plan = make_plan(
        deadlines=LEARNING, selection=selection, rounds=RoundsSection(start_with=6, maximum=6)
    )
    desk = Desk(plan)
    desk.join(1, 2, 3, 4, 5, 6)
    found = []
    for _ in range(6):
        begun = desk.attempt
        (started,) = [r for r in desk.records[-20:] if is_start(r, begun.round, begun.attempt)]
        found.append((started.cohort, round(started.deadline - begun.started, 6)))
        cohort = sorted(int(n[1:2]) for n in begun.members)
        desk.accept(*cohort)
        for number in cohort:
            desk.now += 1.0
            desk.deliver(number)
        desk.aggregated()
        desk.evaluate(*cohort[:-1])
        if restarts and desk.federation.phase is not Phase.ENDED:
            desk.restart()
            desk.join(1, 2, 3, 4, 5, 6)
            desk.evaluate(*cohort)
        else:
            desk.evaluate(cohort[-1])
    return found


def is_start(record: object, number: int, attempt: int) -> bool:
    return isinstance(record, RoundStarted) and (record.round, record.attempt) == (number, attempt)


@pytest.mark.parametrize("rule", ["uniform", "round_robin", "stratified", "utility"])
def test_a_restart_between_rounds_changes_no_cohort_and_no_learned_deadline(rule: str) -> None:
    selection = SelectionSection(name=rule, count=3)
    straight = lived(selection, restarts=False)
    assert straight == lived(selection, restarts=True)
    assert straight[0][1] == LEARNING.update_s
    assert all(deadline < LEARNING.update_s for _, deadline in straight[1:])
