"""Short numbers that stay true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.tui import wording


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [(0, "0 B"), (812, "812 B"), (999, "999 B"), (1200, "1.2 kB"), (14_100_000, "14.1 MB")],
)
def test_sizes(num_bytes: int, text: str) -> None:
    assert wording.size(num_bytes) == text


@given(st.floats(0, 1e12))
def test_a_size_is_within_a_tenth_of_its_unit(num_bytes: float) -> None:
    value, unit = wording.size(num_bytes).split()
    scale = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
    assert abs(float(value) * scale - num_bytes) <= 0.5 * scale
    assert len(value) <= 6 or unit == "GB"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.12, "0.1 s"), (14, "14 s"), (200, "3:20"), (7500, "2 h 05"), (4 * 86400, "4 d")],
)
def test_spans(seconds: float, text: str) -> None:
    assert wording.span(seconds) == text


@given(st.text(max_size=40), st.integers(1, 20))
def test_a_cut_text_has_at_most_its_width(text: str, width: int) -> None:
    assert len(wording.cut(text, width)) <= width


def test_small_words() -> None:
    assert wording.clock(75) == "1:15"
    assert wording.millis(0.0042) == "4 ms"
    assert wording.millis(None) == wording.number(None) == "-"
    assert wording.number(0.93451) == "0.935"
    assert wording.groups("BK6L-UZEO-PLUP-UBBR-XXXX") == "bk6l uzeo plup ubbr"
    assert wording.rate(1_200_000) == "1.2 MB/s"
    assert len(wording.day(0.0)) == 10
    assert len(wording.moment(0.0)) == 8
