"""What rules have in common."""

import numpy as np

from fedtui.selection.base import some


def test_some_are_distinct_and_of_those_given(rng: np.random.Generator) -> None:
    nodes = [bytes([n]) for n in range(7)]
    for num in range(10):
        taken = some(nodes, num, rng)
        assert len(taken) == len(set(taken)) == min(num, 7)
        assert set(taken) <= set(nodes)
