"""Who has spent most by the rounds that are over."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.learning.training import TrainingSpec
from fedtui.privacy.spending import Release, together
from fedtui.rounds import promised
from fedtui.rounds.history import FinishedRound
from fedtui.rounds.plan import (
    DpSection,
    FederationSection,
    Plan,
    PrivacySection,
    TaskSection,
)
from fedtui.rounds.spent import Spent

NODES = tuple(bytes([n]) * 32 for n in range(12))
PLAN = Plan(
    federation=FederationSection(name="f"),
    task=TaskSection(name="digits"),
    dp=DpSection(noise=2.0, delta=1e-4),
    training=TrainingSpec(update_clip=1.0),
    privacy=PrivacySection(colluders=2, minimum=6),
)
USUAL = promised.guaranteed(PLAN)


def finished(number: int, survivors: tuple[bytes, ...]) -> FinishedRound:
    return FinishedRound(number, 1, b"", 0, "", NODES, survivors, {}, 1.0)


def test_the_node_in_most_rounds_counts() -> None:
    rounds = [finished(0, ()), finished(1, NODES), finished(2, NODES[:6]), finished(3, NODES[:8])]
    sure, real = Spent(PLAN, rounds).most()
    assert sure == [Release(USUAL, 3)]
    each = [promised.realised(PLAN, invited=12, survivors=n) for n in (12, 6, 8)]
    assert together(real) == pytest.approx(together([Release(noise) for noise in each]))


@given(st.lists(st.sets(st.integers(0, 11), min_size=6), max_size=12))
def test_N7_nobody_has_spent_more_than_is_said_and_somebody_has_spent_it(
    cohorts: list[set[int]],
) -> None:
    """Every node's own history, one by one."""
    rounds = [finished(n + 1, tuple(NODES[i] for i in who)) for n, who in enumerate(cohorts)]
    sure, real = Spent(PLAN, rounds).most()
    least_sure = least_real = math.inf
    for node in NODES:
        mine = [each for each in rounds if node in each.survivors]
        least_sure = min(least_sure, together([Release(USUAL)] * len(mine)))
        noises = [
            promised.realised(PLAN, invited=12, survivors=len(each.survivors)) for each in mine
        ]
        least_real = min(least_real, together([Release(noise) for noise in noises]))
    assert together(sure) == pytest.approx(least_sure)
    assert together(real) == pytest.approx(least_real)
    assert together(real) >= together(sure) * (1 - 1e-9)


def test_a_round_whose_sum_may_have_been_opened_counts_for_all() -> None:
    two = [finished(0, ()), finished(2, NODES[:6])]
    assert Spent(PLAN, two).most()[0] == [Release(USUAL, 1), Release(USUAL, 1)]
    sure, real = Spent(PLAN, two, burnt=4).most()
    assert sum(one.count for one in sure) == 4
    assert real[0] == Release(USUAL, 3)
    assert Spent(PLAN, [], burnt=1).most() == ([Release(USUAL, 1)], [Release(USUAL, 1)])


def test_visible_rounds_are_not_lost_that_way() -> None:
    visible = msgspec.structs.replace(
        PLAN,
        privacy=PrivacySection(updates="visible"),
        dp=DpSection(mechanism="local", noise=2.0, delta=1e-4),
    )
    assert Spent(visible, [finished(2, NODES)]).most()[0] == [Release(2.0, 1)]


def test_without_dp_or_rounds_nothing_is_spent() -> None:
    assert Spent(PLAN).most() == ([], [])
    plain = msgspec.structs.replace(PLAN, dp=None)
    assert Spent(plain, [finished(3, NODES)], burnt=9).most() == ([], [])
