import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.learning import metrics

floats = st.floats(-100, 100)


@given(st.lists(st.tuples(floats, floats), min_size=2, max_size=30))
def test_regression_scores_agree_with_their_textbook_formulas(pairs: list) -> None:
    prediction, target = np.array(pairs).T
    squared = float(((prediction - target) ** 2).sum())
    sums = {
        "loss_sum": squared,
        "squared_error": squared,
        "target_sum": float(target.sum()),
        "target_squares": float((target**2).sum()),
        "examples": float(len(target)),
    }
    rmse = math.sqrt(np.mean((prediction - target) ** 2))
    assert metrics.score("rmse", sums) == pytest.approx(rmse)
    spread = ((target - target.mean()) ** 2).sum()
    if spread > 1e-3:
        assert metrics.score("r2", sums) == pytest.approx(1 - squared / spread, rel=1e-6, abs=1e-6)


def test_accuracy_and_loss() -> None:
    sums = {"loss_sum": 5.0, "correct": 7.0, "examples": 10.0}
    assert metrics.score("accuracy", sums) == 0.7
    assert metrics.score("loss", sums) == 0.5


def test_adding_sums_is_the_same_as_judging_all_examples_together() -> None:
    left = {"loss_sum": 1.0, "correct": 1.0, "examples": 1.0}
    right = {"loss_sum": 3.0, "correct": 0.0, "examples": 3.0}
    assert metrics.score("accuracy", metrics.add(left, right)) == 0.25
    assert metrics.add({}, right) == right
    assert metrics.add(right, {}) == right


@pytest.mark.parametrize("metric", metrics.METRICS)
def test_no_examples_is_no_figure(metric: str) -> None:
    assert math.isnan(metrics.score(metric, dict.fromkeys(metrics.sums_for(metric), 0.0)))


def test_a_constant_target_has_no_r2() -> None:
    sums = dict.fromkeys(metrics.sums_for("r2"), 0.0) | {"examples": 5.0, "squared_error": 1.0}
    assert math.isnan(metrics.score("r2", sums))


def test_unknown_metrics_and_missing_sums_are_refused() -> None:
    with pytest.raises(ValueError, match="there are accuracy"):
        metrics.score("beauty", {})
    with pytest.raises(ValueError, match="needs the sum 'correct'"):
        metrics.score("accuracy", {"loss_sum": 1.0, "examples": 1.0})


def test_which_way_is_up() -> None:
    assert [m for m in metrics.METRICS if metrics.higher_is_better(m)] == ["accuracy", "r2"]
    assert metrics.reached("accuracy", 0.95, 0.95)
    assert metrics.reached("rmse", 1.0, 2.0)
    assert not metrics.reached("rmse", 3.0, 2.0)
    assert not metrics.reached("accuracy", math.nan, 0.0)
