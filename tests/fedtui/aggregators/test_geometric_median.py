"""The geometric median against scipy's minimum of the sum of distances, and by hand."""

import numpy as np
import pytest
from a_cohort import aggregate, rows
from scipy import optimize

from fedtui.aggregators.geometric_median import GeometricMedian


def test_on_a_line_it_is_the_median() -> None:
    line = rows([1], [2], [3], [50], [1000])
    np.testing.assert_allclose(aggregate(GeometricMedian(steps=1000), line), [3.0], rtol=1e-3)


def test_of_a_square_and_its_middle_it_is_the_middle() -> None:
    square = rows([1, 1], [1, -1], [-1, 1], [-1, -1], [0, 0])
    np.testing.assert_allclose(aggregate(GeometricMedian(), square), [0, 0], atol=1e-6)


def test_one_step_by_hand() -> None:
    """From the mean 2 the distances are 2, 1, 3: pulls 1/2, 1, 1/3 of 11/6."""
    line = rows([0], [1], [5])
    expected = (0 / 2 + 1 / 1 + 5 / 3) / (11 / 6)
    np.testing.assert_allclose(aggregate(GeometricMedian(steps=1), line), [expected], rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_as_scipy_finds_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows_ND = rng.normal(size=(9, 4)).astype(np.float32)
    rows_ND[0] *= 50

    def far(point_D: np.ndarray) -> float:
        return float(np.linalg.norm(rows_ND - point_D, axis=1).sum())

    best = optimize.minimize(far, np.zeros(4), tol=1e-12, method="Nelder-Mead").x
    np.testing.assert_allclose(aggregate(GeometricMedian(steps=500), rows_ND), best, atol=1e-3)


@pytest.mark.parametrize("options", [{"steps": 0}, {"steps": 2.5}, {"smoothing": 0}])
def test_options_that_are_none(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        GeometricMedian(**options)  # type: ignore[arg-type]
