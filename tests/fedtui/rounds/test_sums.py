"""Sums of strangers: what is believed, and that adding leaves no trace of the order."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.learning.metrics import METRICS, score
from fedtui.rounds.sums import finite, measured_sums, total, training_sums

parts = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.floats(-1e12, 1e12)), min_size=1, max_size=8
)


@given(parts, st.randoms(use_true_random=False))
def test_the_order_leaves_no_trace(values, random) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert total(shuffled) == total(values)


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
