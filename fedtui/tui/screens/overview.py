"""Overview: what the node does now; each pane names the screen with the full answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui.screens.base import BaseScreen
from fedtui.tui.widgets.live import Live

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.tui.view import View


class Sentence(Live):
    """What the node does, as its own sentence."""

    def look(self, view: View) -> Content:
        return Content(view.status.sentence)


class OverviewScreen(BaseScreen):
    """Screen 1."""

    def body(self) -> ComposeResult:
        yield Sentence(classes="pane")
