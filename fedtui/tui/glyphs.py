"""The signs of the screen in three sets: braille, block, ascii. Shape comes before colour. Pure.

The set follows FEDTUI_GLYPHS, else the terminal: no UTF-8, TERM=dumb or the Linux console cannot
show braille.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """One set. `ramp` are the heights of a sparkline, lowest first; `steps` by Step.state."""

    name: str
    steps: Mapping[str, str]
    live: str
    offline: str
    up: str
    down: str
    ok: str
    warn: str
    error: str
    info: str
    bar: str
    rest: str
    ramp: str
    line: str
    cut: str
    braille: bool
    border: str


BRAILLE = Glyphs(
    name="braille",
    steps={"waiting": "○", "now": "▶", "done": "✔", "failed": "✖", "skipped": "-"},
    live="●",
    offline="◌",
    up="↑",
    down="↓",
    ok="✔",
    warn="!",
    error="✖",
    info="·",
    bar="━",
    rest="─",
    ramp="▁▂▃▄▅▆▇█",
    line="─",
    cut="…",
    braille=True,
    border="round",
)
BLOCK = Glyphs(
    name="block",
    steps={"waiting": "○", "now": "►", "done": "√", "failed": "✗", "skipped": "-"},
    live="●",
    offline="○",
    up="↑",
    down="↓",
    ok="√",
    warn="!",
    error="✗",
    info="·",
    bar="█",
    rest="░",
    ramp="▁▂▃▄▅▆▇█",
    line="─",
    cut="…",
    braille=False,
    border="solid",
)
ASCII = Glyphs(
    name="ascii",
    steps={"waiting": "o", "now": ">", "done": "*", "failed": "x", "skipped": "-"},
    live="*",
    offline="o",
    up="^",
    down="v",
    ok="*",
    warn="!",
    error="x",
    info=".",
    bar="=",
    rest="-",
    ramp="_.-:=+*#",
    line="-",
    cut="~",
    braille=False,
    border="ascii",
)
SETS: Mapping[str, Glyphs] = {one.name: one for one in (BRAILLE, BLOCK, ASCII)}


def choose(environment: Mapping[str, str], encoding: str) -> Glyphs:
    """The set for this terminal; `encoding` is that of its output."""
    asked = environment.get("FEDTUI_GLYPHS", "").lower()
    if asked in SETS:
        return SETS[asked]
    term = environment.get("TERM", "")
    if term == "dumb" or "utf" not in encoding.lower():
        return ASCII
    return BLOCK if term == "linux" else BRAILLE
