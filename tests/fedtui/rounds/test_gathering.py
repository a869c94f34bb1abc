"""How long is waited for whom; see also test_federation.py."""

import math

import pytest
from desk import make_plan

from fedtui.rounds import gathering
from fedtui.rounds.plan import RoundsSection


def test_the_first_attempt_waits_as_long_as_it_takes() -> None:
    wait = gathering.first(make_plan(rounds=RoundsSection(start_with=5)), 0.0)
    assert not wait.enough(4, math.nextafter(math.inf, 0))
    assert wait.enough(5, 0.0)
    assert wait.due(4) is None


def test_later_the_minimum_is_enough_after_a_while() -> None:
    wait = gathering.again(make_plan(), 4, 0, 10.0)
    assert not wait.enough(3, 12.9)
    assert wait.enough(3, 13.0)
    assert wait.enough(4, 10.0)
    assert not wait.enough(1, 99.0)
    assert (wait.due(1), wait.due(3), wait.due(4)) == (None, 13.0, 10.0)


@pytest.mark.parametrize(
    ("num", "pause_s"), [(0, 0.0), (1, 0.5), (3, 2.0), (7, 30.0), (10**6, 30.0)]
)
def test_backoff(num: int, pause_s: float) -> None:
    assert gathering.backoff(num) == pause_s


def test_in_a_hurry_the_minimum_is_enough_at_once() -> None:
    wait = gathering.again(make_plan(), 4, 3, 10.0)
    assert (wait.enough(2, 11.0), wait.not_before) == (False, 12.0)
    wait.hurry(11.0)
    assert wait.enough(2, 11.0)
    assert wait.not_before == 11.0
    assert not wait.enough(1, 11.0)
