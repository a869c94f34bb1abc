"""Which models are gone on from: in plain numbers, and in a federation on a desk."""

from dataclasses import replace

import pytest
from desk import Desk, make_plan, measured, name

from fedtui.rounds.federation import Phase
from fedtui.rounds.gate import conflicts, passed, why_not
from fedtui.rounds.history import FinishedRound, replay
from fedtui.rounds.machine import Persist
from fedtui.rounds.plan import EvaluationSection, GateSection, RoundsSection, TaskSection, check
from fedtui.rounds.records import Evaluated, RolledBack
from fedtui.wire.messages import Offer

FIRST = FinishedRound(0, 0, bytes(32), 16, "0", (), (), {}, 0.0)
NO_LOSS: dict[str, float] = {}


def scores(*said: float | None, undone: tuple[int, ...] = ()) -> list[FinishedRound]:
    return [FIRST] + [
        replace(FIRST, round=n, score=s, rolled_back="worse" if n in undone else "")
        for n, s in enumerate(said, 1)
    ]


def plan(tolerance: float | None = 0.1, metric: str = "accuracy", **sections: object):
    task = TaskSection(name="digits", metric=metric)
    return make_plan(gate=GateSection(tolerance=tolerance), task=task, **sections)


@pytest.mark.parametrize(
    ("metric", "rounds", "passes"),
    [
        ("accuracy", scores(0.1), True),  # nothing to compare with
        ("accuracy", scores(0.8, 0.71), True),
        ("accuracy", scores(0.8, 0.69), False),
        ("accuracy", scores(0.8, 0.1, 0.71, undone=(2,)), True),  # against the last that passed
        ("accuracy", scores(0.8, 0.1, 0.69, undone=(2,)), False),
        ("accuracy", scores(0.8, None, 0.69, undone=(2,)), False),
        ("loss", scores(2.0, 2.19), True),
        ("loss", scores(2.0, 2.21), False),
        ("loss", scores(2.0, 0.1), True),
        ("accuracy", scores(0.8, None), False),
        ("accuracy", scores(None), False),
    ],
)
def test_what_passes(metric: str, rounds: list[FinishedRound], passes: bool) -> None:
    assert (not why_not(plan(metric=metric), rounds)) == passes
    assert not why_not(plan(None, metric), rounds)


def test_the_sentence_has_the_numbers() -> None:
    assert why_not(plan(), scores(0.8, 0.25)) == (
        "accuracy went from 0.8000 (round 1) to 0.2500; the plan allows it to get worse by 0.1"
    )
    assert "to get worse by 10%" in why_not(plan(metric="loss"), scores(0.8, 1.25))


def test_a_gate_needs_somebody_who_measures() -> None:
    nobody = plan(evaluation=EvaluationSection(holdout=0.0))
    assert conflicts(nobody)
    assert conflicts(nobody)[0] in check(nobody)
    assert not conflicts(plan())
    assert not conflicts(plan(evaluation=EvaluationSection(with_evaluator=True)))


def at_round_three(*, sums: dict[str, float]) -> Desk:
    """Two good rounds, and a third that measured so; the fourth has been offered."""
    desk = Desk(plan())
    desk.join(1, 2)
    for number in range(3):
        desk.round(1, 2, sums=sums if number == 2 else measured(8))
    return desk


def test_the_next_round_starts_from_the_model_that_passed() -> None:
    desk = at_round_three(sums=measured(2))
    federation = desk.federation
    assert federation.phase is Phase.ROUND
    assert [r.rolled_back != "" for r in federation.rounds] == [False, False, False, True]
    assert passed(federation.rounds).round == federation.model.round == 2
    offers = dict(desk.sent(Offer))
    assert {(o.round, o.model) for o in offers.values()} == {(4, federation.rounds[2].model)}
    assert {2, 3} <= federation.keep
    desk.round(1, 2, sums=measured(9))
    assert [r.score for r in federation.rounds[1:]] == [0.8, 0.8, 0.2, 0.9]
    assert federation.model.round == 4
    assert federation.best.round == 4


def test_the_score_and_the_verdict_are_written_together() -> None:
    desk = at_round_three(sums=measured(8))
    desk.accept(1, 2)
    desk.deliver(1, 2)
    desk.aggregated()
    desk.evaluate(1, sums=measured(1))
    assert not desk.of(Persist)
    desk.evaluate(2, sums=measured(1))
    records = [e.record for e in desk.of(Persist)]
    assert [type(r) for r in records][:2] == [Evaluated, RolledBack]


def test_a_model_that_nobody_can_measure_is_not_gone_on_from() -> None:
    desk = at_round_three(sums=NO_LOSS)
    assert desk.federation.model.round == 2
    assert desk.federation.rounds[3].rolled_back == "nobody could measure its model"


@pytest.mark.parametrize("sums", [measured(2), NO_LOSS])
def test_a_restart_goes_on_from_the_same_model(sums: dict[str, float]) -> None:
    desk = at_round_three(sums=sums)
    before = desk.federation
    desk.restart()
    assert replay(desk.records).rounds == tuple(before.rounds)
    assert desk.federation.phase is Phase.GATHERING  # it is not measured again
    desk.join(1, 2)
    assert desk.attempt.base == before.rounds[2].model


def test_a_round_that_was_rolled_back_is_never_the_result() -> None:
    desk = Desk(plan(rounds=RoundsSection(maximum=2)))
    desk.join(1, 2)
    desk.round(1, 2)
    desk.round(1, 2, sums=NO_LOSS)
    assert desk.federation.phase is Phase.ENDED
    assert desk.federation.result.round == desk.federation.model.round == 1
    assert name(1) in desk.federation.present
