"""Texts from elsewhere: what is left of them can only be drawn."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.tui.harmless import harmless, path_like


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Zürich 東京", "Zürich 東京"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1b]52;c;ZXZpbA==\x07", "]52;c;ZXZpbA=="),
        ("\u202edrowssap\u202c", "drowssap"),
        ("two\nlines\tand\rmore\x00", "two lines and more"),
        ("\x9b31m", "31m"),
        ("a" + "\u0301" * 300, "a\u0301\u0301"),
    ],
)
def test_only_what_draws_is_left(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_long_texts_are_cut_and_say_so() -> None:
    assert harmless("x" * 10_000, 5) == "xxxx…"
    assert harmless("xxxxx", 5) == "xxxxx"
    assert path_like("/a/" + "b" * 20 + "/end", 8) == "…bbb/end"


@given(st.text(), st.integers(1, 80))
def test_never_a_control_character_never_too_long(text: str, most: int) -> None:
    clean = harmless(text, most)
    assert len(clean) <= most
    assert not any(unicodedata.category(letter)[0] == "C" for letter in clean)
