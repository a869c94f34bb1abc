"""Which groups are bad, and who is in them more often than chance explains."""

import numpy as np
import pytest

from fedtui.rounds import suspicion
from fedtui.rounds.suspicion import GroupSeen


def seen(*nodes: int, **more: object) -> GroupSeen:
    given = {"length": 1.0, "cosine": 0.8} | more
    return GroupSeen(nodes=tuple(bytes([n]) * 32 for n in nodes), **given)


def test_a_group_is_bad_if_it_failed_or_lies_far_from_the_others() -> None:
    good = [seen(0, 1, 2), seen(3, 4, 5, length=1.4)]
    failed = seen(6, 7, 8, reason="one was spoilt", length=0.0, cosine=0.0)
    away, long = seen(9, 10, 11, cosine=-0.6), seen(12, 13, 14, length=20.0)
    assert suspicion.far([*good, failed, away, long]) == (failed, away, long)
    assert suspicion.far(good) == ()
    assert suspicion.far([]) == ()


@pytest.mark.parametrize("bad", [{4}, {4, 7}])
def test_who_spoils_its_group_again_and_again_is_named_and_nobody_else(bad: set[int]) -> None:
    rng, rounds = np.random.default_rng(1), []
    for _ in range(12):
        order = [int(n) for n in rng.permutation(15)]
        groups = [order[i : i + 3] for i in range(0, 15, 3)]
        rounds.append([seen(*g, cosine=-0.5 if bad & set(g) else 0.7) for g in groups])
    named = suspicion.suspects(rounds)
    assert set(named) == {bytes([n]) * 32 for n in bad}
    assert set(named.values()) == {(12, 12)}


def test_nobody_is_named_for_few_rounds_or_where_all_groups_are_bad() -> None:
    few = [[seen(0, 1, 2, cosine=-0.5), seen(3, 4, 5)]] * 2
    assert suspicion.suspects(few) == {}
    everywhere = [[seen(0, 1, 2, cosine=-0.5), seen(3, 4, 5, cosine=-0.5)]] * 9
    assert suspicion.suspects(everywhere) == {}
