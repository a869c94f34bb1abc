"""How long a node may train so that what it has arrives in time."""

from hypothesis import given
from hypothesis import strategies as st

from fedtui.rounds.partial import RESERVE, TIMES_FETCHING, within_s

SECONDS = st.floats(0, 1e6)


@given(allowed=SECONDS, spent=SECONDS)
def test_there_is_time_left_to_send(allowed, spent) -> None:
    training = within_s(allowed, spent)
    assert training >= 0
    if training:
        left = allowed - spent - training
        assert left >= RESERVE * allowed - 1e-6
        assert left >= TIMES_FETCHING * spent - 1e-6


def test_a_model_that_was_here_leaves_nine_tenths() -> None:
    assert within_s(100.0, 0.0) == 90.0
    assert within_s(100.0, 20.0) == 40.0
    assert within_s(100.0, 60.0) == 0.0
