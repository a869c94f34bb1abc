"""Timeline: the phases of a round in a row, as wide as there is room. Pure, of no federation.

It shrinks: phases in full with a second row of durations and bytes; phases by their short names;
and where not even these fit, the one under way as '3/7 train'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.status import StepState
    from fedtui.tui.glyphs import Glyphs

STYLES: dict[StepState, str] = {
    "waiting": "$quiet",
    "now": "bold $phase-now",
    "done": "$verified",
    "failed": "bold $alarm",
    "skipped": "$quiet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One phase: its name, its short name, how it stands, and a note on it."""

    name: str
    short: str
    state: StepState
    note: str = ""


def draw(phases: Sequence[Phase], width: int, glyphs: Glyphs) -> list[Content]:
    """One or two rows of at most `width` cells."""
    if not phases or width < 1:
        return []
    longest = max(len(one.name) for one in phases)
    column = width // len(phases)
    if column >= longest + 4:
        return _wide(phases, column, glyphs)
    row = _narrow(phases, width, glyphs)
    return [row if row is not None else _one(phases, width, glyphs)]


def _wide(phases: Sequence[Phase], column: int, glyphs: Glyphs) -> list[Content]:
    row: list[str | tuple[str, str]] = []
    notes: list[str | tuple[str, str]] = []
    for place, one in enumerate(phases):
        text = f"{glyphs.steps[one.state]} {one.name} "
        row.append((text, STYLES[one.state]))
        if place < len(phases) - 1:
            row.append((f"{glyphs.line * (column - len(text) - 1)} ", "$edge"))
        style = "$phase-now" if one.state == "now" else "$quiet"
        notes.append((f"  {one.note}"[: column - 1].ljust(column), style))
    made = [Content.assemble(*row)]
    if any(one.note for one in phases):
        made.append(Content.assemble(*notes))
    return made


def _narrow(phases: Sequence[Phase], width: int, glyphs: Glyphs) -> Content | None:
    texts = [
        f"{glyphs.steps[one.state]} {one.short.upper() if one.state == 'now' else one.short}"
        for one in phases
    ]
    gaps = len(phases) - 1
    room = width - sum(len(text) for text in texts)
    if room < gaps:
        return None
    row: list[str | tuple[str, str]] = []
    for place, (one, text) in enumerate(zip(phases, texts, strict=True)):
        row.append((text, STYLES[one.state]))
        if place < gaps:
            own = min(8, room // gaps + int(place < room % gaps))
            row.append((f" {glyphs.line * (own - 2)} " if own > 2 else " " * own, "$edge"))
    return Content.assemble(*row)


def _one(phases: Sequence[Phase], width: int, glyphs: Glyphs) -> Content:
    place = at(phases)
    one = phases[place]
    text = f"{glyphs.steps[one.state]} {place + 1}/{len(phases)} {one.name}"
    line = Content.assemble((text, STYLES[one.state]), (f" {one.note}", "$quiet"))
    if line.cell_length > width:
        line = Content.assemble((text, STYLES[one.state]))
    return line.truncate(width, ellipsis=True)


def at(phases: Sequence[Phase]) -> int:
    """The index of the phase that matters: under way, or failed, or the last one done."""
    for wanted in ("now", "failed"):
        for place, one in enumerate(phases):
            if one.state == wanted:
                return place
    done = [place for place, one in enumerate(phases) if one.state == "done"]
    return done[-1] if done else 0
