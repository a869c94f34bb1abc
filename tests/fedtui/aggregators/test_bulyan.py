"""Bulyan against its definition in loops, and by hand."""

import numpy as np
import pytest
from a_cohort import Rows, aggregate, rows

from fedtui.aggregators.bulyan import Bulyan, nearest_mean


def written_out(rows_ND: Rows, bad: int) -> np.ndarray:
    left = [row_D.astype(np.float64) for row_D in rows_ND]
    picked = []
    num = len(left)
    while len(picked) < num - 2 * bad:
        scores = []
        for one_D in left:
            far = sorted(float(((one_D - other_D) ** 2).sum()) for other_D in left)
            scores.append(sum(far[1 : 1 + max(2, len(left) - bad - 2)]))
        picked.append(left.pop(int(np.argmin(scores))))
    result = []
    for column in np.stack(picked).T:
        middle = np.median(column)
        near = sorted(column.tolist(), key=lambda value: abs(value - middle))
        result.append(np.mean(near[: num - 4 * bad]))
    return np.array(result)


def test_by_hand() -> None:
    """Five of seven are picked, all but 90 and 20; the three nearest to their median 3 count."""
    line = rows([1], [2], [3], [3.5], [5], [20], [90])
    np.testing.assert_allclose(aggregate(Bulyan(bad=1), line), [8.5 / 3], rtol=1e-12)


@pytest.mark.parametrize(("num", "bad"), [(7, 1), (10, 1), (11, 2), (15, 3), (20, 3)])
def test_as_the_paper_has_it(num: int, bad: int) -> None:
    rows_ND = np.random.default_rng(num).normal(size=(num, 300)).astype(np.float32)
    rows_ND[-bad:] *= 30
    result_D = aggregate(Bulyan(bad), rows_ND)
    np.testing.assert_allclose(result_D, written_out(rows_ND, bad), rtol=1e-12, atol=1e-12)


def test_it_stops_what_krum_lets_through() -> None:
    """A large change of one value among many, in an update that is near to all others."""
    rng = np.random.default_rng(4)
    rows_ND = rng.normal(size=(11, 10_000)).astype(np.float32)
    rows_ND[3] = rows_ND.mean(axis=0)
    rows_ND[3, 7] += 40
    assert abs(aggregate(Bulyan(2), rows_ND)[7]) < 1


def test_of_two_equally_far_the_smaller_stays() -> None:
    assert nearest_mean(rows([1, 2, 3]), 2).tolist() == [1.5]


@pytest.mark.parametrize(("bad", "num", "least"), [(1, 6, 7), (2, 10, 11), (0.24, 8, 7)])
def test_what_it_needs(bad: float, num: int, least: int) -> None:
    fits = num >= least
    assert (not Bulyan(bad).misfit(num)) == fits
    if not fits:
        assert Bulyan(bad).misfit(num).startswith(f"at least {least} updates")
