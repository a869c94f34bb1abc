"""Uniform: every node as often as every other."""

import numpy as np

from fedtui.selection.base import Candidate
from fedtui.selection.uniform import Uniform

NODES = [Candidate(bytes([n]) * 32) for n in range(10)]


def test_every_node_is_picked_equally_often(rng: np.random.Generator) -> None:
    counts = {one.node: 0 for one in NODES}
    for number in range(3000):
        for node in Uniform().pick(NODES, 3, rng, number):
            counts[node] += 1
    expected, deviation = 900.0, (3000 * 0.3 * 0.7) ** 0.5
    assert all(abs(c - expected) < 5 * deviation for c in counts.values())


def test_all_if_there_are_no_more(rng: np.random.Generator) -> None:
    assert Uniform().pick(NODES, 10, rng, 1) == frozenset(one.node for one in NODES)
    assert Uniform().pick(NODES[:4], 10, rng, 1) == frozenset(one.node for one in NODES[:4])
