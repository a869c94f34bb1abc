"""Empty: what a screen says instead of a table that has no rows, with the key that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from fedtui.tui.panes import saying
from fedtui.tui.widgets.pane import Pane

if TYPE_CHECKING:
    from fedtui.tui.view import View


class EmptyPane(Pane):
    """`words` are for a node that is in a federation."""

    HELP: ClassVar[str] = "Nothing to show yet."

    def __init__(self, title: str, words: str) -> None:
        super().__init__(id="empty")
        self._title = title
        self._words = words

    def title(self, view: View) -> Content:  # noqa: ARG002
        return Content(self._title)

    def look(self, view: View, width: int, height: int) -> list[Content]:  # noqa: ARG002
        return saying.idle(view, width) or saying.sentence(self._words, width, "$quiet")
