"""Rules in rounds: what is read, what their operator's own rules may do wrong, what is left."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from a_cohort import Held, Rows, aggregate, one_by_one, rows

from fedtui.aggregators.base import Aggregator
from fedtui.aggregators.bulyan import Bulyan
from fedtui.aggregators.krum import Krum
from fedtui.aggregators.median import Median
from fedtui.combining import aggregating
from fedtui.combining.aggregating import chunk_size, mixed, prepare


@dataclass
class Counting:
    """An update that counts how often its values are read."""

    vector_D: Rows
    num_read: int = 0
    longest: int = field(default=0)

    def read(self, first: int, count: int) -> Rows:
        part_C = self.vector_D[first : first + count]
        self.num_read += len(part_C)
        self.longest = max(self.longest, len(part_C))
        return part_C


@pytest.mark.parametrize(("mix", "times"), [(None, 0), (0.2, 1)])
def test_updates_are_read_before_only_for_distances(mix: float | None, times: int) -> None:
    rng = np.random.default_rng(1)
    many = [(Counting(rng.normal(size=70_000).astype(np.float32)), 1) for _ in range(9)]
    prepare(Median(), mix, many, 70_000, one_by_one)  # type: ignore[arg-type]
    assert {update.num_read for update, _ in many} == {70_000 * times}
    prepare(Krum(), mix, many, 70_000, one_by_one)  # type: ignore[arg-type]
    assert {update.num_read for update, _ in many} == {70_000 * (times + 1)}


@pytest.mark.parametrize("num", [1, 64, 65, 1000, 10**6])
def test_however_many_updates_few_values_are_held(num: int) -> None:
    size = chunk_size(num)
    assert size * num <= max(aggregating._VALUES_HELD, 2048 * num)
    assert 65536 % size == 0
    assert size == 65536 or num > 64


@pytest.mark.parametrize("bad", [1, 2])
def test_bulyan_after_mixing_still_knows_how_many_there_were(bad: int) -> None:
    rows_ND = np.random.default_rng(3).normal(size=(11, 60)).astype(np.float32)
    rows_ND[0] = 900
    assert np.abs(aggregate(Bulyan(bad), rows_ND, mix=bad)).max() < 4


def test_mixes_are_near_numpys() -> None:
    rng = np.random.default_rng(3)
    rows_ND = rng.normal(size=(6, 500)).astype(np.float32)
    shares_MN = (rng.random((4, 6)) < 0.5) / 6.0
    shares_MN[:, 2] = 1 / 6
    expected = shares_MN @ rows_ND
    np.testing.assert_allclose(list(mixed(list(rows_ND), shares_MN)), expected, atol=1e-10)


@dataclass(frozen=True, slots=True)
class Own(Aggregator):
    """What an operator's first rule may do wrong."""

    by_products = True

    made: tuple[tuple[float, ...], ...] = ()

    def shares(self, products_NN):  # type: ignore[no-untyped-def]
        return np.array(self.made)

    def combine(self, updates, weights):  # type: ignore[no-untyped-def]
        return np.mean(list(updates), axis=0)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ((), "rows of 3 numbers"),
        (((1.0, 0.0),), "rows of 3 numbers"),
        (((2.0, 0.0, 0.0),), "add up to 1"),
        (((1.5, -0.5, 0.0),), "at least 0"),
        (((float("nan"), 0.0, 0.0),), "at least 0"),
        (((0.5, 0.25, 0.0), (0.0, 1.0, 0.0)), "equal shares"),
    ],
)
def test_shares_that_are_none_are_refused(made: tuple[tuple[float, ...], ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        aggregate(Own(made), rows([1], [2], [3]))


def test_ties_are_broken_by_what_updates_hold() -> None:
    """The updates are equally long; which comes first must not hang on who sent it."""
    here = rows([3, 4], [4, 3], [-5, 0], [0, 5])
    first = Own(((1.0, 0.0, 0.0, 0.0),))
    found = {tuple(aggregate(first, here[list(order)]).tolist()) for order in ORDERS}
    assert len(found) == 1


ORDERS = [(0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2), (2, 3, 1, 0)]


def test_equal_updates_are_read_once_more_for_their_order() -> None:
    same = [(Held(np.ones(5, np.float32)), 1)] * 5
    assert prepare(Krum(), None, same, 5, one_by_one).order == (0, 1, 2, 3, 4)  # type: ignore[arg-type]
