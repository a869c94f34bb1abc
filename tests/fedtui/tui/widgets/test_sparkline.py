"""Sparklines, bars and mirrored rates fill their place and tell heights truly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.tui.glyphs import ASCII, BLOCK, BRAILLE, Glyphs
from fedtui.tui.widgets.sparkline import bar, mirror, spark

SETS = st.sampled_from([BRAILLE, BLOCK, ASCII])
RATES = st.lists(st.floats(0, 1e9), max_size=150)


@given(RATES, st.integers(0, 150), SETS)
def test_a_sparkline_shows_the_last_values(values: list[float], width: int, g: Glyphs) -> None:
    line = spark(values, width, g)
    assert len(line) == min(width, len(values))
    if line and max(values[-width:]) > 0:
        highest = max(range(len(line)), key=lambda place: values[-width:][place])
        assert line[highest] == g.ramp[-1]


def test_heights_grow_with_values() -> None:
    assert spark(range(8), 8, BRAILLE) == "▁▂▃▄▅▆▇█"
    assert spark([0, 0, 0], 8, BRAILLE) == "▁▁▁"
    assert spark([0.5], 8, BRAILLE, low=0.0, high=1.0) == "▅"


@given(st.floats(), st.integers(0, 100), SETS)
def test_a_bar_is_as_wide_as_asked(fraction: float, width: int, glyphs: Glyphs) -> None:
    assert bar(fraction, width, glyphs).cell_length == width


@pytest.mark.parametrize(("fraction", "full"), [(0, 0), (0.01, 1), (0.5, 10), (1, 20), (7, 20)])
def test_a_bar_shows_its_share(fraction: float, full: int) -> None:
    assert bar(fraction, 20, ASCII).plain == "=" * full + "-" * (20 - full)


@given(RATES, RATES, st.integers(1, 80), st.integers(2, 12), SETS)
def test_mirrored_rates_fill_their_place(
    up: list[float], down: list[float], width: int, height: int, glyphs: Glyphs
) -> None:
    rows = mirror(up, down, (width, height), glyphs)
    assert [row.cell_length for row in rows] == [width] * (2 * (height // 2))


def test_up_is_above_the_middle_and_down_below() -> None:
    rows = [row.plain for row in mirror([8, 8], [8, 0], (2, 4), ASCII)]
    assert rows == ["**", "**", "* ", "* "]
