import numpy as np
import pytest
from a_cohort import aggregate, rows

from fedtui.aggregators.median import Median


def test_by_hand() -> None:
    odd = rows([1, -5, 0], [2, 7, 0], [900, 6, 3])
    assert aggregate(Median(), odd).tolist() == [2.0, 6.0, 0.0]
    even = rows([1, -5], [2, 7], [900, 6], [4, 5])
    assert aggregate(Median(), even).tolist() == [3.0, 5.5]


@pytest.mark.parametrize("num", range(3, 14))
def test_as_numpy_has_it(num: int) -> None:
    rows_ND = np.random.default_rng(num).normal(size=(num, 500)).astype(np.float32)
    expected = np.median(rows_ND.astype(np.float64), axis=0)
    np.testing.assert_array_equal(aggregate(Median(), rows_ND), expected)


def test_two_bad_of_five_stay_within_the_honest() -> None:
    honest = rows([1, 1], [2, 3], [3, 2])
    bad = rows([1000, -1000], [1000, -1000])
    result_D = aggregate(Median(), np.concatenate([honest, bad]))
    assert (result_D <= honest.max(axis=0)).all()
    assert (result_D >= honest.min(axis=0)).all()


def test_the_updates_stay_as_they_are() -> None:
    rows_ND = rows([3, 1], [1, 2], [2, 3])
    before = rows_ND.copy()
    Median().combine(list(rows_ND), [1, 1, 1])
    assert (rows_ND == before).all()
