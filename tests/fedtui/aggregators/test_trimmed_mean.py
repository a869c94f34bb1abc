import numpy as np
import pytest
from a_cohort import aggregate, rows

from fedtui.aggregators.base import num_bad
from fedtui.aggregators.trimmed_mean import TrimmedMean


def test_by_hand() -> None:
    five = rows([-1000, 3], [1, 4], [2, 5], [6, -9], [1000, 9])
    assert aggregate(TrimmedMean(bad=1), five).tolist() == [3.0, 4.0]
    assert aggregate(TrimmedMean(bad=2), five).tolist() == [2.0, 4.0]


@pytest.mark.parametrize("num", range(5, 24))
@pytest.mark.parametrize("bad", [0.1, 0.2, 2])
def test_as_a_sort_of_every_column_has_it(num: int, bad: float) -> None:
    rows_ND = np.random.default_rng(num).normal(size=(num, 50)).astype(np.float32)
    cut = num_bad(bad, num)
    expected = [np.mean(sorted(column.tolist())[cut : num - cut]) for column in rows_ND.T]
    np.testing.assert_allclose(aggregate(TrimmedMean(bad), rows_ND), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("bad", "num", "cut"), [(0.2, 7, 1), (0.2, 10, 2), (0.1, 3, 1), (3, 9, 3)]
)
def test_a_share_is_rounded_down_and_one_at_least(bad: float, num: int, cut: int) -> None:
    assert num_bad(bad, num) == cut


@pytest.mark.parametrize(("bad", "num", "least"), [(3, 6, 7), (0.49, 2, 3), (1, 2, 3)])
def test_more_than_half_is_refused(bad: float, num: int, least: int) -> None:
    assert TrimmedMean(bad).misfit(num).startswith(f"at least {least} updates")
    assert not TrimmedMean(bad).misfit(least)
