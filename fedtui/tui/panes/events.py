"""Events: the last things that happened, newest at the bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from fedtui.tui import wording
from fedtui.tui.panes import saying
from fedtui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from fedtui.status import Level, LogLine
    from fedtui.tui.glyphs import Glyphs
    from fedtui.tui.view import View

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


class EventsPane(Pane):
    """The tail of the log."""

    TITLE = "Events"
    OPENS = "scr.7"
    HELP: ClassVar[str] = (
        "What happened here. The full screen filters, follows, copies and exports."
    )

    def title(self, view: View) -> Content:  # noqa: ARG002
        return Content.assemble("Events", ("  / filter", "$quiet"))

    def look(self, view: View, width: int, height: int) -> list[Content]:
        lines = view.status.log[-max(1, height) :]
        if not lines:
            return [Content.styled("nothing happened yet", "$quiet")]
        return [saying.cut(written(line, view.glyphs), width) for line in lines]
