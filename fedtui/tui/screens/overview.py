"""Overview: what the node does now; each pane names the screen with the full answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical

from fedtui.tui import sheets
from fedtui.tui.panes.events import EventsPane
from fedtui.tui.panes.federation import FederationPane
from fedtui.tui.panes.network import NetworkPane
from fedtui.tui.panes.privacy import PrivacyPane
from fedtui.tui.panes.round import RoundPane
from fedtui.tui.panes.training import TrainingPane
from fedtui.tui.screens.base import BaseScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.tui.exporting import Sheet
    from fedtui.tui.view import View


class OverviewScreen(BaseScreen):
    """Screen 1."""

    MODE = "overview"

    def body(self) -> ComposeResult:
        keys = self.face.keys
        yield RoundPane(id="round", keys=keys)
        with Horizontal(id="middle"):
            with Vertical(id="left"):
                yield TrainingPane(id="training", keys=keys)
                yield FederationPane(id="federation", keys=keys)
            with Vertical(id="right"):
                yield NetworkPane(id="network", keys=keys)
                yield PrivacyPane(id="privacy", keys=keys)
        yield EventsPane(id="events", keys=keys)

    def sheets(self, view: View) -> tuple[Sheet, ...]:
        status = view.status
        return (sheets.losses(status), sheets.rounds(status.rounds), sheets.scores(status))
