"""D3: what strangers call themselves is one short, harmless line."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from fedtui.wire import labels
from fedtui.wire.labels import safe_label

HARMLESS = "alice's laptop (2nd floor), größe 日本 Ω"

HOSTILE = {
    "markup action": ("alice[@click=app.quit]x", "alice[@click=app.quit]x"),
    "escape": ("\x1b[31mred\x1b[0m", "[31mred[0m"),
    "clipboard (OSC 52)": ("\x1b]52;c;cm0gLXJm\x07me", "]52;c;cm0gLXJmme"),
    "one-byte CSI": ("\x9b31mred", "31mred"),
    "bell and backspace": ("a\x07\x08\x7fb", "ab"),
    "lines": ("a\nb\r\nc\x85d\u2028e\u2029f\vg", "abcdefg"),
    "right to left": ("abc\u202egnp.exe\u202c\u2066x\u2069\u200f", "abcgnp.exex"),
    "zero width": ("a\u200bd\u200cm\u200di\ufeffn\u00ad", "admin"),
    "private and unassigned": ("a\ue000\U000f0000\U0010ffff\u0378b", "ab"),
    "lone surrogate": ("a\ud800b\udfff", "ab"),
    "tag characters": ("a\U000e0041\U000e0042", "a"),
    "pile of marks": ("a" + "\u0330" * 500 + "b", "a\u0330\u0330b"),
    "marks first": ("\u0301\u0301bob", "bob"),
    "wide letters": ("\uff46\uff55\uff4c\uff4c", "full"),
    "no-break spaces around": ("\u00a0 x \u3000", "x"),
    "variation selector": ("a\ufe0fb\ufe0e", "ab"),
    "nothing visible": ("\u200b\x00\u2060", ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_D3_hostile_labels_become_literal_text(name):
    given_text, shown = HOSTILE[name]
    assert safe_label(given_text) == shown


def test_an_ordinary_label_stays_as_it_is():
    assert safe_label(HARMLESS) == HARMLESS


def test_D3_ten_megabytes_cost_nothing():
    assert safe_label("x" * 10_000_000) == "x" * 48
    assert len(safe_label("\ufdfa" * 10_000_000)) <= 48  # each becomes 18 characters


@pytest.mark.parametrize(
    ("text", "cells", "shown"),
    [("日本語", 5, "日本"), ("日本", 4, "日本"), ("abc", 0, ""), ("abc d", 4, "abc")],
)
def test_wide_characters_count_twice(text, cells, shown):
    assert safe_label(text, cells) == shown


@settings(deadline=None)
@given(st.text(max_size=100), st.integers(0, 60))
def test_D3_any_text_is_short_and_without_controls(text, cells):
    shown = safe_label(text, cells)
    assert cell_len(shown) <= cells
    assert not any(unicodedata.category(character)[0] == "C" for character in shown)
    assert not any(unicodedata.category(character) in {"Zl", "Zp"} for character in shown)
    assert shown == shown.strip()
    shown.encode()


@settings(deadline=None)
@given(st.text(alphabet=st.characters(categories=["L", "Mn", "Me", "Mc"]), max_size=80))
def test_D3_marks_never_pile_up(text):
    num_marks = 2
    for character in safe_label(text):
        num_marks = num_marks + 1 if unicodedata.category(character)[0] == "M" else 0
        assert num_marks <= 2


@settings(deadline=None)
@given(st.text(max_size=100))
def test_once_is_enough(text):
    assert safe_label(safe_label(text)) == safe_label(text)


def test_no_character_is_wider_than_counted():
    """Against the tables of another library, over all of Unicode."""
    kept = filter(labels._is_kept, map(chr, range(0x110000)))
    assert [hex(ord(c)) for c in kept if labels._width(c) < cell_len(c)] == []
