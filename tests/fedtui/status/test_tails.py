"""What of a tail is new: nothing twice, nothing lost while the tails overlap."""

from hypothesis import given
from hypothesis import strategies as st

from fedtui.status.tails import newer


@given(st.lists(st.integers(), unique=True), st.integers(1, 9), st.data())
def test_tails_that_overlap_give_each_line_once(
    lines: list[int], width: int, data: st.DataObject
) -> None:
    told: list[int] = []
    heard = 0
    while heard < len(lines):
        heard += data.draw(st.integers(1, width))
        tail = tuple(lines[:heard][-width:])
        told += newer(told[-1] if told else None, tail)
    assert told == lines


def test_a_line_that_comes_again_is_told_again() -> None:
    assert newer("b", ("a", "b", "a", "b", "c")) == ("c",)
    assert newer("b", ("a", "b", "a")) == ("a",)


def test_all_of_a_tail_that_does_not_overlap_is_new() -> None:
    assert newer("lost", ("a", "b")) == ("a", "b")
    assert newer(None, ("a",)) == ("a",)
    assert newer("a", ()) == ()
