"""How unequal weights are."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.rounds.spread import Spread, spread_of

WEIGHTS = st.lists(st.integers(1, 2**40), min_size=1, max_size=50)


def test_equal_weights_are_as_many_nodes_and_one_giant_is_one() -> None:
    assert spread_of([5] * 4) == Spread(0.25, 0.25, 0.25, 4.0)
    giant = spread_of([1, 1, 10**9])
    assert giant is not None
    assert giant.largest > 0.999
    assert giant.alike == pytest.approx(1.0)


@given(WEIGHTS)
def test_shares_are_of_the_whole_and_the_scale_does_not_matter(weights) -> None:
    found, scaled = spread_of(weights), spread_of([3 * weight for weight in weights])
    assert found is not None
    assert scaled is not None
    total = sum(weights)
    assert found.smallest == pytest.approx(min(weights) / total)
    assert found.largest == pytest.approx(max(weights) / total)
    assert found.median == pytest.approx(statistics.median(weights) / total)
    assert 1 - 1e-9 <= found.alike <= len(weights) + 1e-9
    assert scaled.alike == pytest.approx(found.alike)


def test_of_nothing_there_is_none() -> None:
    assert spread_of([]) is None
    assert spread_of([0]) is None
