"""The colours: dark, light, high contrast, with the screen's own tokens; no raw red or green.

`$phase-now` what happens now, `$mine` this node's, `$global` the federation's, `$alarm` what wants
the operator, `$verified` and `$unverified` what was checked here and what was not, `$quiet` words
that explain.
"""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="fedtui-dark",
    primary="#7aa2f7",
    secondary="#e0af68",
    accent="#7dcfff",
    warning="#e0af68",
    error="#ff8c69",
    success="#73daca",
    foreground="#d5d9e6",
    background="#12141c",
    surface="#181b26",
    panel="#232736",
    dark=True,
    variables={
        "phase-now": "#7dcfff",
        "mine": "#ffb86b",
        "global": "#7aa2f7",
        "alarm": "#ff8c69",
        "verified": "#73daca",
        "unverified": "#e0af68",
        "quiet": "#8d95ad",
        "edge": "#3b4159",
    },
)
LIGHT = Theme(
    name="fedtui-light",
    primary="#1f4fbf",
    secondary="#9a5b00",
    accent="#00639c",
    warning="#8a5200",
    error="#b3261e",
    success="#00675b",
    foreground="#1b1f2a",
    background="#fbfbfd",
    surface="#f1f2f7",
    panel="#e4e7f0",
    dark=False,
    variables={
        "phase-now": "#00639c",
        "mine": "#9a5200",
        "global": "#1f4fbf",
        "alarm": "#b3261e",
        "verified": "#00675b",
        "unverified": "#8a5200",
        "quiet": "#5a6072",
        "edge": "#b9becd",
    },
)
CONTRAST = Theme(
    name="fedtui-contrast",
    primary="#ffffff",
    secondary="#ffd700",
    accent="#00ffff",
    warning="#ffd700",
    error="#ff9e80",
    success="#7fffd4",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1a1a1a",
    dark=True,
    variables={
        "phase-now": "#00ffff",
        "mine": "#ffd700",
        "global": "#9ecbff",
        "alarm": "#ff9e80",
        "verified": "#7fffd4",
        "unverified": "#ffd700",
        "quiet": "#e0e0e0",
        "edge": "#ffffff",
    },
)
THEMES = (DARK, LIGHT, CONTRAST)
