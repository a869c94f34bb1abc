"""What is spared is the difference to a whole model, and never below nothing."""

from hypothesis import given
from hypothesis import strategies as st

from coordinator.savings import Savings

LENGTHS = st.lists(st.integers(0, 300))


@given(LENGTHS, LENGTHS, LENGTHS)
def test_both_ways_are_counted_apart(up: list[int], down: list[int], whole: list[int]) -> None:
    savings = Savings(200)
    for num_bytes in up:
        savings.received(num_bytes)
    for num_bytes in down:
        savings.served("change", num_bytes)
    for num_bytes in whole:
        savings.served("model", num_bytes)
    spared = [sum(200 - n for n in lengths if n < 200) for lengths in (up, down)]
    assert list(savings.saved) == spared
