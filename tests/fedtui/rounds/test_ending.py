"""When it is over: see also test_federation.py, where whole runs end."""

import dataclasses

from desk import make_plan

from fedtui.rounds.ending import best_of, why_end
from fedtui.rounds.history import FinishedRound
from fedtui.rounds.plan import RoundsSection

FIRST = FinishedRound(0, 0, bytes(32), 16, "0", (), (), {}, 0.0)


def after(*scores: float | None) -> list[FinishedRound]:
    return [FIRST] + [
        dataclasses.replace(FIRST, round=n, seconds=1.0, score=s) for n, s in enumerate(scores, 1)
    ]


def test_nothing_ends_before_the_first_round() -> None:
    assert why_end(make_plan(rounds=RoundsSection(maximum=1)), after()) is None


def test_best_without_scores_is_the_last() -> None:
    assert best_of(after(None, None), "accuracy").round == 2


def test_best_by_metric_and_latest_of_equals() -> None:
    assert best_of(after(0.5, 0.9, 0.9, 0.1), "accuracy").round == 3
    assert best_of(after(0.5, 0.9, 0.1, None), "loss").round == 3


def test_a_target_of_zero_is_a_target() -> None:
    plan = make_plan(rounds=RoundsSection(target=0.0))
    assert why_end(plan, after(0.0)) is not None
    assert why_end(plan, after(-0.5)) is None
