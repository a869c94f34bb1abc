"""Krum against the paper's definition written out in loops, and small cases by hand."""

import numpy as np
import pytest
from a_cohort import Rows, aggregate, rows

from fedtui.aggregators.krum import Krum


def written_out(rows_ND: Rows, bad: int, keep: int) -> np.ndarray:
    wide_ND = rows_ND.astype(np.float64)
    scores = []
    for one_D in wide_ND:
        far = sorted(float(((one_D - other_D) ** 2).sum()) for other_D in wide_ND)
        scores.append(sum(far[1 : 1 + len(wide_ND) - bad - 2]))
    best = sorted(range(len(scores)), key=scores.__getitem__)[:keep]
    return wide_ND[best].mean(axis=0)


def test_by_hand() -> None:
    """Of 5 with one bad the scores are sums over 2 others: 5, 2, 5, 13, 192.25."""
    line = rows([1], [2], [3], [5], [14.5])
    assert aggregate(Krum(bad=1), line).tolist() == [2.0]
    assert aggregate(Krum(bad=1, keep=3), line)[0] == pytest.approx(2.0)
    assert aggregate(Krum(bad=1, keep=0), line)[0] == pytest.approx(2.75)


@pytest.mark.parametrize("num", [7, 8, 12, 20])
@pytest.mark.parametrize("keep", [1, 3, 0])
def test_as_the_paper_has_it(num: int, keep: int) -> None:
    rows_ND = np.random.default_rng(num).normal(size=(num, 3000)).astype(np.float32)
    expected = written_out(rows_ND, 2, keep or num - 2)
    np.testing.assert_allclose(aggregate(Krum(2, keep), rows_ND), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("rule", "num", "least"), [(Krum(2), 6, 7), (Krum(0.2), 4, 5), (Krum(1, keep=9), 9, 10)]
)
def test_what_it_needs(rule: Krum, num: int, least: int) -> None:
    assert rule.misfit(num).startswith(f"at least {least} updates")
    assert not rule.misfit(least)
