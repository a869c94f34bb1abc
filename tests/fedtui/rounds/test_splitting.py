"""Whatever the unit of the targets, masked sums are the sums."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.learning.metrics import METRICS, score, sums_for
from fedtui.rounds.splitting import MOST, fits, joined, scalars_for, split
from fedtui.secagg import encoding
from fedtui.secagg.encoding import Encoder, Encoding

units = st.floats(-8, 8).map(lambda power: 10.0**power)


def masked_total(metric: str, parts: list[dict[str, float]]) -> dict[str, float]:
    """Through the encoding, as if masks had been added and taken away."""
    layout = Encoding(
        num_values=0,
        scalars=scalars_for(metric),
        lanes=3,
        largest_cohort=len(parts),
        value_range=1.0,
    )
    words = np.zeros(layout.num_words, np.uint64)
    for sums in parts:
        encoder = Encoder(
            layout,
            np.empty(0, np.float32),
            split(metric, sums),
            weight=1.0,
            rounding_seed=bytes(32),
        )
        for index, place in encoding.chunks(layout):
            words[place] += encoder.chunk(index)
        assert encoder.num_saturated == 0
    slots = [
        digit
        for index, place in encoding.chunks(layout)
        for digit in encoding.decode(layout, words[place], index, len(parts))
    ]
    return joined(metric, encoding.scalars(layout, slots, len(parts)))


@given(units, st.integers(0, 2**32), st.sampled_from(["rmse", "r2", "loss"]))
def test_a_regression_has_its_score_in_any_unit(unit: float, seed: int, metric: str) -> None:
    rng = np.random.default_rng(seed)
    parts = []
    for num in (3, 50, 400):
        target = unit * (3 + rng.standard_normal(num))
        squares = float(((target - unit * 3.1) ** 2).sum())
        sums = {
            "loss_sum": squares,
            "squared_error": squares,
            "target_sum": float(target.sum()),
            "target_squares": float((target**2).sum()),
            "examples": float(num),
        }
        parts.append({name: sums[name] for name in sums_for(metric)})
    plain = {name: math.fsum(part[name] for part in parts) for name in sums_for(metric)}
    total = masked_total(metric, parts)
    assert total == pytest.approx(plain, rel=1e-9, abs=1e-18)
    assert score(metric, total) == pytest.approx(score(metric, plain), rel=1e-3)


@pytest.mark.parametrize("metric", METRICS)
def test_counts_travel_as_they_are(metric: str) -> None:
    parts = [{name: float(k + 1) for name in sums_for(metric)} for k in range(3)]
    assert masked_total(metric, parts) == dict.fromkeys(sums_for(metric), 6.0)
    assert set(sums_for(metric)) <= set(scalars_for(metric))
    if metric in {"accuracy", "macro_f1"}:
        assert scalars_for(metric) == sums_for(metric)


def test_what_is_too_large_is_known_before() -> None:
    assert fits({"loss_sum": MOST / 2})
    assert not fits({"loss_sum": -MOST})
    assert (
        abs(joined("loss", split("loss", {"loss_sum": 1e99, "examples": 1.0}))["loss_sum"]) <= MOST
    )
