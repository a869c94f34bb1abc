"""What ends a federation, and which model is its result; sums that are no numbers are none."""

import math

import pytest
from desk import Desk, make_plan, measured

from fedtui.rounds.machine import (
    Finished,
)
from fedtui.rounds.plan import RoundsSection, TaskSection
from fedtui.rounds.records import FederationEnded
from fedtui.wire.codec import decode, encode
from fedtui.wire.messages import Control, Ended, Result, Scored, UpdateHeader


def rounds(desk: Desk, *scores: float | None) -> None:
    """Run rounds with two nodes that end with these scores (None: nobody measures)."""
    for score in scores:
        sums = {} if score is None else measured(score * 1000 / 2, 1000 / 2)
        desk.round(1, 2, sums=sums)


def ending(desk: Desk) -> str | None:
    return desk.federation.ended


# ---- the ends


def scoring(**budget: object) -> Desk:
    desk = Desk(make_plan(rounds=RoundsSection(**{"maximum": 50} | budget)))
    desk.join(1, 2)
    return desk


def test_target_ends_it() -> None:
    desk = scoring(target=0.9)
    rounds(desk, 0.5, 0.89)
    assert ending(desk) is None
    rounds(desk, 0.9)
    assert ending(desk) == "target reached: accuracy 0.9000, wanted 0.9"
    assert desk.of(Finished)
    assert len(desk.sent(Ended)) == 2
    assert desk.federation.deadline is None


def test_maximum_ends_it_with_the_best_model() -> None:
    desk = scoring(maximum=3)
    rounds(desk, 0.5, 0.8, 0.6)
    assert ending(desk) == "all 3 rounds done"
    assert desk.federation.result.round == 2
    assert isinstance(desk.records[-1], FederationEnded)
    assert desk.records[-1].result_round == 2


def test_patience_counts_ties_as_no_better() -> None:
    desk = scoring(patience=2)
    rounds(desk, 0.5, 0.5)
    assert ending(desk) is None
    rounds(desk, 0.5)
    assert ending(desk) == "no better accuracy in 2 rounds"


def test_patience_does_not_count_rounds_that_nobody_measured() -> None:
    desk = scoring(patience=2)
    rounds(desk, 0.5, None, None, None, 0.4)
    assert ending(desk) is None
    rounds(desk, 0.3)
    assert ending(desk) is not None


def test_seconds_end_it() -> None:
    desk = scoring(seconds=10.0)
    for _ in range(3):
        assert ending(desk) is None
        desk.accept(1, 2)
        desk.now += 4.0
        desk.deliver(1, 2)
        desk.aggregated()
        desk.evaluate(1, 2)
    assert ending(desk) == "time budget of 10 s spent"


def test_lower_is_better_for_losses() -> None:
    plan = make_plan(
        task=TaskSection(name="digits", metric="loss"), rounds=RoundsSection(target=0.2)
    )
    desk = Desk(plan)
    desk.join(1, 2)
    for loss in (0.5, 0.3, 0.4):
        desk.round(1, 2, sums={"loss_sum": loss * 10, "examples": 10.0})
    assert ending(desk) is None
    assert desk.federation.best.round == 2
    desk.round(1, 2, sums={"loss_sum": 2.0, "examples": 10.0})
    assert ending(desk) is not None


def test_the_latest_of_equal_scores_is_the_result() -> None:
    desk = scoring(maximum=3)
    rounds(desk, 0.7, 0.7, 0.1)
    assert desk.federation.result.round == 2


@pytest.mark.parametrize(
    "sums",
    [
        {},
        {"examples": 10.0},
        measured(math.nan),
        measured(11.0, 10.0),
        measured(1.0, 0.5),
        measured(1.0, math.inf),
        {"loss_sum": math.nan, "correct": 1.0, "examples": 10.0},
        {"loss_sum": 1e300, "correct": 1.0, "examples": 10.0},
        measured(-1.0),
    ],
)
def test_nonsense_sums_are_left_out_of_the_score(sums) -> None:
    desk = scoring()
    desk.accept(1, 2)
    desk.deliver(1, 2)
    desk.aggregated()
    desk.evaluate(1, sums=sums)
    desk.evaluate(2, sums=measured(4, 10))
    assert desk.federation.rounds[-1].score == 0.4
    assert desk.federation.rounds[-1].num_evaluators == 1


@pytest.mark.parametrize("metric", ["rmse", "r2"])
def test_regression_scores_that_are_no_number_are_no_score(metric) -> None:
    desk = Desk(make_plan(task=TaskSection(name="tabular", metric=metric)))
    desk.join(1, 2)
    huge = {
        "loss_sum": 1.0,
        "squared_error": 0.0,
        "target_sum": 1e99,
        "target_squares": 0.0,
        "examples": 10.0,
    }
    desk.round(1, 2, sums=huge)
    score = desk.federation.rounds[-1].score
    assert score is None or math.isfinite(score)
    assert all(isinstance(m, Scored) for _, m in desk.sent(Scored))


def test_training_sums_of_liars_do_not_reach_the_others() -> None:
    desk = scoring()
    desk.accept(1, 2)
    lies = {f"x{i}": 1.0 for i in range(16)} | {"loss_sum": math.nan, "examples": 3.0}
    desk.put(desk.opened(1, header=UpdateHeader(num_examples=3, sums=lies)))
    desk.put(desk.arrived(1))
    desk.deliver(2)
    desk.aggregated()
    results = desk.sent(Result)
    assert len(results) == 2
    for _, message in results:
        assert message.sums == {"examples": 10.0, "loss_sum": 1.0}
        decode(encode(message), Control)
