"""Centred clipping against its definition on whole vectors, and by hand."""

import numpy as np
import pytest
from a_cohort import Rows, aggregate, rows

from fedtui.aggregators.centred_clip import CentredClip


def written_out(rows_ND: Rows, radius: float, steps: int) -> np.ndarray:
    result_D = np.zeros(rows_ND.shape[1])
    for _ in range(steps):
        moves_ND = rows_ND.astype(np.float64) - result_D
        far_N = np.linalg.norm(moves_ND, axis=1)
        cut_N = np.minimum(1, (radius or np.median(far_N)) / far_N)
        result_D += (moves_ND * cut_N[:, None]).mean(axis=0)
    return result_D


def test_by_hand() -> None:
    """Radius 2 from 0: 1 + 2 + 2 of 3; from 5/3 on: -2/3, 1/3, 2 of 3."""
    line = rows([1], [2], [90])
    np.testing.assert_allclose(aggregate(CentredClip(2, steps=1), line), [5 / 3], rtol=1e-9)
    twice = 5 / 3 + (-2 / 3 + 1 / 3 + 2) / 3
    np.testing.assert_allclose(aggregate(CentredClip(2, steps=2), line), [twice], rtol=1e-6)


@pytest.mark.parametrize("radius", [0.0, 0.5, 20.0, 1e6])
@pytest.mark.parametrize("steps", [1, 5])
def test_as_the_paper_has_it(radius: float, steps: int) -> None:
    rows_ND = np.random.default_rng(1).normal(size=(8, 300)).astype(np.float32)
    rows_ND[3] *= 40
    expected = written_out(rows_ND, radius, steps)
    result_D = aggregate(CentredClip(radius, steps), rows_ND)
    np.testing.assert_allclose(result_D, expected, rtol=1e-4, atol=1e-6)


def test_one_update_moves_a_step_by_its_radius_over_n_at_most() -> None:
    honest_ND = np.random.default_rng(2).normal(size=(8, 30)).astype(np.float32)
    worst_ND = honest_ND.copy()
    worst_ND[0] = 1000
    rule = CentredClip(0.5, steps=1)
    moved_D = aggregate(rule, worst_ND) - aggregate(rule, honest_ND)
    assert np.linalg.norm(moved_D) <= 2 * 0.5 / 8 + 1e-6


@pytest.mark.parametrize("radius", [-1, float("nan"), float("inf")])
def test_a_radius_that_is_none(radius: float) -> None:
    with pytest.raises(ValueError, match="radius"):
        CentredClip(radius)
