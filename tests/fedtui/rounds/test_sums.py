"""Sums of strangers: what is believed, and that adding leaves no trace of the order."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.learning.metrics import METRICS, score, sums_for
from fedtui.rounds.sums import finite, measured_sums, total, training_sums

parts = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.floats(-1e12, 1e12)), min_size=1, max_size=8
)


@given(parts, st.randoms(use_true_random=False))
def test_the_order_leaves_no_trace(values, random) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert total(shuffled) == total(values)


@given(
    st.sampled_from(METRICS),
    st.lists(st.dictionaries(st.integers(0, 300), st.floats(-2, 9), max_size=4), max_size=3),
)
def test_whole_sums_of_strangers_give_a_figure_within_its_range(metric, changes) -> None:
    names = sums_for(metric)
    reported = [
        dict.fromkeys(names, 0.0)
        | {"examples": 4.0}
        | {names[k % len(names)]: value for k, value in change.items()}
        for change in changes
    ]
    believed = [s for s in (measured_sums(metric, r) for r in reported) if s]
    assert not believed or set(believed[0]) == set(names)
    found = score(metric, total(believed)) if believed else math.nan
    if not math.isnan(found) and metric in {"accuracy", "balanced_accuracy", "macro_f1", "auroc"}:
        assert 0 <= found <= 1


any_float = st.floats(allow_nan=True, allow_infinity=True) | st.integers(0, 9).map(float)
names = ["loss_sum", "correct", "examples", "squared_error", "target_sum", "target_squares", "x"]


@given(
    st.sampled_from(METRICS),
    st.lists(st.dictionaries(st.sampled_from(names), any_float), max_size=4),
)
def test_whatever_is_believed_can_be_scored(metric, reported) -> None:
    believed = [s for s in (measured_sums(metric, r) for r in reported) if s]
    for sums in believed:
        assert finite(sums)
        assert sums["examples"] >= 1
    if believed:
        score(metric, total(believed))


@pytest.mark.parametrize(
    ("sums", "kept"),
    [
        (
            {"loss_sum": 1.0, "examples": 2.0, "more": 3.0},
            {"loss_sum": 1.0, "examples": 2.0},
        ),
        ({"loss_sum": 1.0}, {}),
        ({"loss_sum": math.nan, "examples": 2.0}, {}),
        ({"loss_sum": 1.0, "examples": -2.0}, {}),
        ({"loss_sum": 1e101, "examples": 2.0}, {}),
    ],
)
def test_training_sums(sums, kept) -> None:
    assert training_sums(sums) == kept
