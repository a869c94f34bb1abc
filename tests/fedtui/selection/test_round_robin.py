"""Round robin: everybody's turn comes."""

from dataclasses import replace

import numpy as np

from fedtui.selection.base import Candidate
from fedtui.selection.round_robin import RoundRobin


def test_after_any_number_of_rounds_all_were_picked_equally_often_to_within_one(
    rng: np.random.Generator,
) -> None:
    nodes = [Candidate(bytes([n]) * 32) for n in range(10)]
    for number in range(1, 40):
        picked = RoundRobin().pick(nodes, 3, rng, number)
        nodes = [
            replace(one, num_picked=one.num_picked + 1, last_round=number)
            if one.node in picked
            else one
            for one in nodes
        ]
        counts = [one.num_picked for one in nodes]
        assert max(counts) - min(counts) <= 1


def test_a_newcomer_has_one_turn_and_does_not_catch_up(rng: np.random.Generator) -> None:
    old = [Candidate(bytes([n]) * 32, num_picked=50, last_round=90 + n) for n in range(5)]
    new = Candidate(b"x" * 32)
    assert new.node in RoundRobin().pick([*old, new], 1, rng, 99)
    seen = replace(new, num_picked=1, last_round=99)
    assert RoundRobin().pick([*old, seen], 1, rng, 100) == {old[0].node}
