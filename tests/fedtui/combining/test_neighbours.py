import numpy as np
from a_cohort import aggregate, rows

from fedtui.aggregators.mean import Mean
from fedtui.aggregators.median import Median
from fedtui.combining.neighbours import neighbours
from fedtui.combining.products import of_chunk


def test_by_hand() -> None:
    """Of 0, 1, 3, 100 with one bad: means of the three nearest, itself among them."""
    line = rows([0], [1], [3], [100])
    mixed = neighbours(of_chunk(line), 1) @ line
    np.testing.assert_allclose(mixed[:, 0], [4 / 3, 4 / 3, 4 / 3, 104 / 3], rtol=1e-12)
    np.testing.assert_allclose(aggregate(Mean(), line, mix=1), [(4 + 104 / 3) / 4], rtol=1e-9)
    np.testing.assert_allclose(aggregate(Median(), line, mix=1), [4 / 3], rtol=1e-9)


def test_as_loops_have_it() -> None:
    rows_ND = np.random.default_rng(2).normal(size=(9, 700)).astype(np.float32)
    expected = []
    for one_D in rows_ND:
        far = ((rows_ND - one_D) ** 2).sum(axis=1)
        expected.append(rows_ND[np.argsort(far)[:7]].mean(axis=0, dtype=np.float64))
    result_D = aggregate(Median(), rows_ND, mix=2)
    np.testing.assert_allclose(result_D, np.median(expected, axis=0), rtol=1e-9, atol=1e-9)


def test_every_row_is_a_mean() -> None:
    shares_NN = neighbours(of_chunk(np.zeros((5, 3), np.float32)), 0.2)
    assert (np.sort(shares_NN, axis=1) == [0, 0.25, 0.25, 0.25, 0.25]).all()
