import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.learning import metrics
from fedtui.rounds.splitting import scalars_for
from fedtui.secagg.encoding import Encoding
from fedtui.tui.panes.federation import HIGHER_IS_BETTER
from fedtui.wire import codec
from fedtui.wire.codec import MAX_CONTROL_BYTES
from fedtui.wire.masked_messages import MaskedSums
from fedtui.wire.messages import Evaluation

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
    up = {m for m in metrics.METRICS if metrics.higher_is_better(m)}
    assert up == {"accuracy", "r2", "balanced_accuracy", "macro_f1", "auroc"}
    assert up == HIGHER_IS_BETTER, "the screen, which may not ask, knows the same"
    assert metrics.reached("accuracy", 0.95, 0.95)
    assert metrics.reached("rmse", 1.0, 2.0)
    assert not metrics.reached("rmse", 3.0, 2.0)
    assert not metrics.reached("accuracy", math.nan, 0.0)


def test_perplexity_is_a_number_whatever_the_loss() -> None:
    sums = {"loss_sum": 2 * math.log(5), "correct": 0.0, "examples": 2.0}
    assert metrics.score("perplexity", sums) == pytest.approx(5.0)
    assert math.isfinite(metrics.score("perplexity", sums | {"loss_sum": 1e100}))


@pytest.mark.parametrize("metric", metrics.METRICS)
def test_every_metric_has_its_place_in_a_message_and_under_masks(metric: str) -> None:
    names = metrics.sums_for(metric)
    assert len(set(names)) == len(names) <= metrics.MAX_SUMS
    sums = dict.fromkeys(names, 0.1)
    assert len(codec.encode(Evaluation(incarnation=1, round=1, sums=sums))) < MAX_CONTROL_BYTES
    assert (
        codec.decode(codec.encode(Evaluation(incarnation=1, round=1, sums=sums)), Evaluation).sums
        == sums
    )
    for lanes, largest in ((4, 256), (3, 8192), (2, 2**24)):  # the fewest bits that a value has
        encoding = Encoding(
            num_values=0,
            scalars=scalars_for(metric),
            lanes=lanes,
            largest_cohort=largest,
            value_range=1.0,
        )
        vector = MaskedSums(incarnation=1, round=1, attempt=1, words=bytes(encoding.num_bytes))
        assert codec.decode(codec.encode(vector), MaskedSums) == vector


def test_many_sums_are_said_in_few_words() -> None:
    assert metrics.said("accuracy") == "loss_sum, correct, examples"
    assert metrics.said("rmse").endswith("squared_error, target_sum, target_squares, examples")
    assert (
        metrics.said("balanced_accuracy")
        == "loss_sum, examples, actual_0 to actual_63, right_0 to right_63"
    )
    assert metrics.said("calibration_error").endswith("right_0 to right_14")


def zeros(metric: str, **sums: float) -> dict[str, float]:
    return dict.fromkeys(metrics.sums_for(metric), 0.0) | {"examples": 4.0} | sums


@pytest.mark.parametrize(
    ("metric", "lie"),
    [
        ("accuracy", {"correct": 5.0}),
        ("accuracy", {"examples": 0.5}),
        ("balanced_accuracy", {"right_3": 1.0}),
        ("macro_f1", {"right_3": 1.0, "actual_3": 1.0}),
        ("macro_f1", {"predicted_3": 5.0}),
        ("auroc", {"positive_0": -1.0}),
        ("auroc", {"negative_0": 300.0}),
        ("calibration_error", {"confidence_1": 4.5}),
        ("rmse", {"squared_error": -1.0}),
    ],
)
def test_sums_that_no_examples_have_are_impossible(metric: str, lie: dict[str, float]) -> None:
    assert metrics.possible(metric, zeros(metric))
    assert not metrics.possible(metric, zeros(metric, **lie))
