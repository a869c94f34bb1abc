"""Every colour of every theme can be read: a contrast of at least 4.5 to 1 (WCAG 2.1)."""

import pytest
from textual.color import Color
from textual.theme import Theme

from fedtui.tui.themes import THEMES

WORDS = ("phase-now", "mine", "global", "alarm", "verified", "unverified", "quiet")


@pytest.mark.parametrize("theme", THEMES, ids=lambda one: one.name)
@pytest.mark.parametrize("ground", ["background", "surface", "panel"])
def test_words_can_be_read(theme: Theme, ground: str) -> None:
    behind = Color.parse(getattr(theme, ground))
    colours = {name: theme.variables[name] for name in WORDS}
    colours |= {name: str(getattr(theme, name)) for name in ("foreground", "accent", "warning")}
    for name, colour in colours.items():
        assert _ratio(Color.parse(colour), behind) >= 4.5, f"{name} on {ground}"


@pytest.mark.parametrize("theme", THEMES, ids=lambda one: one.name)
def test_no_raw_red_or_green_and_every_token(theme: Theme) -> None:
    assert {*WORDS, "edge"} <= set(theme.variables)
    for colour in theme.variables.values():
        red, green, blue = Color.parse(colour).rgb
        assert not (red > 180 and green < 60 and blue < 60) or theme.name == "fedtui-light"
        assert not (green > 150 and red < 60 and blue < 60)


def _ratio(one: Color, other: Color) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Color) -> float:
    parts = []
    for value in colour.rgb:
        share = value / 255
        parts.append(share / 12.92 if share <= 0.03928 else ((share + 0.055) / 1.055) ** 2.4)
    red, green, blue = parts
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
