"""Stratified: each group has its part in every round."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.plugins import PluginError, build
from fedtui.selection.base import Candidate
from fedtui.selection.stratified import Stratified

SITES = ("", "north", "south", "west")


def nodes(sizes: list[int]) -> list[Candidate]:
    return [
        Candidate(bytes([group, n]) * 16, declared={"site": SITES[group]} if group else {})
        for group, size in enumerate(sizes)
        for n in range(size)
    ]


def counts(rule: Stratified, sizes: list[int], size: int, seed: int) -> list[int]:
    picked = rule.pick(nodes(sizes), size, np.random.default_rng(seed), 1)
    of = Counter(node[0] for node in picked)
    return [of[group] for group in range(len(sizes))]


@given(
    sizes=st.lists(st.integers(0, 30), min_size=4, max_size=4).filter(any),
    size=st.integers(1, 40),
    seed=st.integers(0, 100),
)
def test_each_group_has_its_share_of_those_present_to_within_one(sizes, size, seed) -> None:
    taken = counts(Stratified(by="site"), sizes, size, seed)
    num = min(size, sum(sizes))
    for got, group in zip(taken, sizes, strict=True):
        assert abs(got - num * group / sum(sizes)) < 1
        assert got <= group


@given(
    sizes=st.lists(st.integers(0, 30), min_size=4, max_size=4).filter(any),
    size=st.integers(1, 40),
    seed=st.integers(0, 100),
)
def test_or_the_same_as_long_as_it_has_nodes(sizes, size, seed) -> None:
    taken = counts(Stratified(by="site", of="each"), sizes, size, seed)
    most = max(taken)
    for got, group in zip(taken, sizes, strict=True):
        assert got == group or got >= most - 1


def test_what_cannot_be_divided_goes_to_whom_chance_says() -> None:
    seen = {tuple(counts(Stratified(by="site"), [0, 2, 2, 2], 1, seed)) for seed in range(40)}
    assert len(seen) == 3


@pytest.mark.parametrize("options", [{"by": ""}, {"of": "all"}])
def test_options_that_make_no_sense_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(PluginError, match="expected"):
        build("selection", "stratified", **options)
