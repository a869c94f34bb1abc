"""Dropping out: as often as the section says, in one phase, and the same whenever asked."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.simulation.dropping import PHASES, Drop, drop
from fedtui.simulation.population import DropoutSection

CHANCES = {"answering": 0.1, "training": 0.3, "sharing": 0.2, "uploading": 0.25, "confirming": 0.5}
ALL = DropoutSection(**CHANCES, back_after_s=(5.0, 25.0))
NUM = 4000


def drops(section: DropoutSection, *, masked: bool = True) -> list[Drop | None]:
    return [
        drop(section, 1, node=node, number=number, attempt=1, masked=masked)
        for node in range(100)
        for number in range(NUM // 100)
    ]


@pytest.mark.parametrize("masked", [True, False])
def test_each_phase_has_its_probability_among_those_who_reach_it(masked: bool) -> None:
    counts = Counter(d.phase if d else "" for d in drops(ALL, masked=masked))
    reached = NUM
    for phase in PHASES:
        chance = CHANCES[phase] if masked or phase not in {"sharing", "confirming"} else 0.0
        deviation = math.sqrt(reached * chance * (1 - chance))
        assert counts[phase] == pytest.approx(reached * chance, abs=5 * deviation)
        reached -= counts[phase]
    assert counts[""] == reached


def test_the_time_in_a_phase_and_the_time_away_are_uniform() -> None:
    found = [d for d in drops(ALL) if d]
    assert all(0 <= d.at < 1 and 5 <= d.back_after_s <= 25 for d in found)
    tolerance = 5 / math.sqrt(12 * len(found))
    assert sum(d.at for d in found) / len(found) == pytest.approx(0.5, abs=tolerance)
    mean_s = sum(d.back_after_s for d in found) / len(found)
    assert mean_s == pytest.approx(15, abs=20 * tolerance)


@given(st.integers(0, 2**53), st.integers(0, 9999), st.integers(1, 10**6), st.integers(1, 1000))
def test_equal_questions_have_equal_answers(
    seed: int, node: int, number: int, attempt: int
) -> None:
    one, two = (
        drop(ALL, seed, node=node, number=number, attempt=attempt, masked=True) for _ in range(2)
    )
    assert one == two


def test_seed_node_round_and_attempt_each_matter() -> None:
    def answers(**changed: int) -> list[Drop | None]:
        key = {"seed": 1, "node": 0, "number": 1, "attempt": 1} | changed
        return [
            drop(ALL, key["seed"], node=key["node"], number=key["number"], attempt=a, masked=True)
            for a in range(key["attempt"], key["attempt"] + 30)
        ]

    base = answers()
    for other in ({"seed": 2}, {"node": 1}, {"number": 2}, {"attempt": 50}):
        assert answers(**other) != base


def test_a_phase_that_is_off_does_not_move_the_draws_of_the_others() -> None:
    only = DropoutSection(training=0.3)
    both = DropoutSection(training=0.3, confirming=0.5)
    for one, two in zip(drops(only), drops(both), strict=True):
        if one:
            assert two is not None
            assert (one.phase, one.at) == (two.phase, two.at)


def test_nobody_vanishes_unless_the_section_says_so() -> None:
    assert not any(drops(DropoutSection()))
    assert not any(drops(DropoutSection(sharing=0.9, confirming=0.9), masked=False))
