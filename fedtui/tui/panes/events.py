"""Events: the last things that happened, newest at the bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from fedtui.tui.panes import saying
from fedtui.tui.widgets.logline import written
from fedtui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from fedtui.tui.view import View


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
