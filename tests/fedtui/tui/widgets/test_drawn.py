"""Drawn: each line is drawn once in a look, and never more are kept than said."""

from hypothesis import given
from hypothesis import strategies as st
from textual.strip import Strip

from fedtui.tui.widgets import drawn

ASKED = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(("dark", "light"))), max_size=60)


@given(asked=ASKED)
def test_a_strip_is_that_of_its_key_in_the_look_of_now(asked: list[tuple[int, str]]) -> None:
    kept: drawn.Drawn[int] = drawn.Drawn()
    before = ""
    drew: list[int] = []
    for key, look in asked:
        if look != before:
            before = look
            drew.clear()

        def draw(key: int = key, look: str = look, drew: list[int] = drew) -> Strip:
            drew.append(key)
            return Strip.blank(key * 2 + (look == "light"))

        assert kept.strip(key, look, draw).cell_length == key * 2 + (look == "light")
        assert len(drew) == len(set(drew))


def test_no_more_are_kept_than_said() -> None:
    kept: drawn.Drawn[int] = drawn.Drawn()
    for key in range(3 * drawn.MOST):
        kept.strip(key, "", lambda: Strip.blank(1))
        assert len(kept._strips) <= drawn.MOST
