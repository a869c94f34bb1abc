import pytest
from fake_coordinator import BOARD, a_round
from msgspec.structs import replace

from fedtui.tui.coordinator.figures import Pace, change, curve, pace, percentile


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.5, 5), (0.51, 6), (0.99, 10), (1.0, 10)]
)
def test_percentiles_are_values_that_were_there(share: float, value: float) -> None:
    assert percentile([10, 1, 2, 3, 4, 5, 6, 7, 8, 9], share) == value


def test_without_rounds_there_is_no_pace() -> None:
    assert percentile([], 0.5) is None
    assert pace([]) == Pace(None, None, None)


def test_bytes_are_of_rounds_that_were_counted() -> None:
    rounds = [replace(a_round(1), bytes_up=None, bytes_down=None), a_round(2), a_round(3)]
    found = pace(rounds)
    assert (found.p50_s, found.p99_s) == (57.0, 58.0)
    assert found.bytes_per_round == 19_700_000


def test_the_change_is_better_or_worse_whatever_the_metric() -> None:
    rounds = (a_round(1, 0.5), replace(a_round(2), score=None), a_round(3, 0.75))
    assert curve(rounds) == [(1, 0.5), (3, 0.75)]
    assert change(replace(BOARD, rounds=rounds)) == 0.25
    assert change(replace(BOARD, rounds=rounds, higher_is_better=False)) == -0.25
    assert change(replace(BOARD, rounds=rounds[:1])) is None
