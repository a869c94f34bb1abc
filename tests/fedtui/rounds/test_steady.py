"""Steady time never runs backwards, goes at the clock's pace, and translates back."""

from hypothesis import given
from hypothesis import strategies as st

from fedtui.rounds.steady import Steady


@given(st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_never_backwards(readings) -> None:
    steady = Steady(readings[0])
    times = [steady.read(r) for r in readings]
    assert times == sorted(times)


def test_after_a_step_back_time_goes_on_at_the_clocks_pace() -> None:
    steady = Steady(1000.0)
    assert steady.read(1001.0) == 1001.0
    assert steady.read(1.0) == 1001.0
    assert steady.read(3.0) == 1003.0
    assert steady.on_clock(1010.0) == 10.0
    assert steady.on_clock(None) is None
