"""Draws: keyed, and apart from each other."""

from itertools import product

import numpy as np
import pytest

from fedtui.simulation.draws import Purpose, generator


def test_equal_keys_draw_equal_numbers() -> None:
    one, two = (generator(3, Purpose.DROPOUT, 5, 1).random(4) for _ in range(2))
    assert np.array_equal(one, two)


def test_nothing_draws_what_another_draws() -> None:
    firsts = [
        float(generator(seed, purpose, node).random())
        for seed, purpose, node in product(range(3), Purpose, range(20))
    ]
    assert len(set(firsts)) == len(firsts)


def test_purposes_are_never_renumbered() -> None:
    assert [int(p) for p in Purpose] == list(range(7_000_001, 7_000_001 + len(Purpose)))
    assert generator(1, Purpose.SPEED, 2).random() == pytest.approx(SPEED_OF_NODE_2, abs=0)


SPEED_OF_NODE_2 = float(np.random.default_rng([1, 7_000_001, 2]).random())
