"""One model being measured: who is asked, who answers, who is not waited for."""

import pytest
from desk import make_plan, measured, name

from fedtui.rounds.attempt import Frame
from fedtui.rounds.evaluation import Evaluating
from fedtui.rounds.machine import Joined, Left, Said, Send, Tick
from fedtui.wire.messages import Evaluate, Evaluation, ModelRef

FRAME = Frame(plan=make_plan(), plan_hash=bytes(32), manifest_digest=bytes(32), incarnation=3)
MODEL = ModelRef(round=4, digest=bytes(32), num_bytes=16)


def asking(*numbers: int, **more: object) -> Evaluating:
    return Evaluating(FRAME, MODEL, 10.0, {name(n) for n in numbers}, **more)


def says(number: int, incarnation: int = 3, round_: int = 4, **sums: float) -> Said:
    message = Evaluation(
        incarnation=incarnation, round=round_, sums=sums or measured(), reason="because"
    )
    return Said(name(number), message)


def test_answers_add_up_in_any_order() -> None:
    results = []
    for order in ([1, 2, 3], [3, 1, 2]):
        machine = asking(1, 2, 3)
        assert [e.node for e in machine.begin(0.0) if isinstance(e, Send)] == sorted(
            machine.awaited
        )
        for number in order:
            assert not machine.over
            machine.handle(says(number, loss_sum=0.1 * number, correct=1, examples=4), 1.0)
        assert machine.over
        results.append(machine.result())
    assert results[0] == results[1]
    record, scored = results[0]
    assert record.score == 0.25
    assert (scored.num_examples, scored.num_nodes) == (12, 3)


@pytest.mark.parametrize("stale", [says(1, incarnation=2), says(1, round_=3), says(2)])
def test_answers_out_of_turn_do_not_count(stale: Said) -> None:
    machine = asking(1)
    machine.handle(stale, 1.0)
    assert machine.awaited == {name(1)}
    assert machine.result() is None


def test_an_answer_counts_once() -> None:
    machine = asking(1, 2)
    machine.handle(says(1), 1.0)
    machine.handle(says(1, **measured(9)), 1.0)
    assert machine.sums == {name(1): measured()}


def test_who_fails_says_why() -> None:
    machine = asking(1)
    machine.handle(says(1, examples=0.0), 1.0)
    assert machine.over
    assert machine.failures == {name(1): "because"}


def test_time_ends_it() -> None:
    machine = asking(1, 2)
    machine.handle(says(1), 1.0)
    assert machine.deadline == 10.0
    machine.handle(Tick(), 9.9)
    assert not machine.over
    machine.handle(Tick(), 10.0)
    assert machine.over
    assert machine.deadline is None
    assert machine.result() is not None


def test_leaving_and_coming_back() -> None:
    machine = asking(1)
    machine.handle(Left(name(1)), 1.0)
    assert machine.deadline == 4.0
    (asked,) = machine.handle(Joined(name(1), "participant"), 2.0)
    assert isinstance(asked, Send)
    assert isinstance(asked.message, Evaluate)
    assert asked.message.deadline_s == 8.0
    assert machine.deadline == 10.0
    machine.handle(Left(name(1)), 3.0)
    machine.handle(Tick(), 6.0)
    assert machine.over


def test_an_expected_evaluator_is_asked_when_it_joins() -> None:
    machine = asking(expected_until=5.0)
    assert not machine.over
    assert machine.deadline == 5.0
    assert machine.handle(Joined(name(1), "participant"), 1.0) == []
    assert len(machine.handle(Joined(name(2), "evaluator"), 1.0)) == 1
    assert machine.awaited == {name(2)}
    machine = asking(expected_until=5.0)
    machine.handle(Tick(), 5.0)
    assert machine.over
