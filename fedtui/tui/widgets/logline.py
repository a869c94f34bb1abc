"""A line of the log as it is drawn: time, level, source, words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui import wording

if TYPE_CHECKING:
    from fedtui.status import Level, LogLine
    from fedtui.tui.glyphs import Glyphs

STYLES: dict[Level, str] = {
    "info": "",
    "ok": "$verified",
    "warning": "bold $unverified",
    "error": "bold $alarm",
}
MAX_LINE = 500


def sign(level: Level, glyphs: Glyphs) -> str:
    signs = {"info": glyphs.info, "ok": glyphs.ok, "warning": glyphs.warn, "error": glyphs.error}
    return signs[level]


def written(line: LogLine, glyphs: Glyphs) -> Content:
    """One line of the log: time, level, source, words; cut at MAX_LINE signs."""
    return Content.assemble(
        (f"{wording.moment(line.at)} ", "$quiet"),
        (f"{sign(line.level, glyphs)} ", STYLES[line.level] or "$quiet"),
        (f"{line.source:<8} ", "$quiet"),
        (wording.cut(line.text, MAX_LINE), STYLES[line.level]),
    )
