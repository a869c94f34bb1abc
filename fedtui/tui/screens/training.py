"""Training: epochs, batches and loss of the work on this machine, and the process that does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal

from fedtui.tui import sheets
from fedtui.tui.panes.round import RoundPane
from fedtui.tui.panes.training import FullTrainingPane, TrainerPane
from fedtui.tui.screens.base import BaseScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.tui.exporting import Sheet
    from fedtui.tui.view import View


class TrainingScreen(BaseScreen):
    """Screen 2."""

    MODE = "training"

    def body(self) -> ComposeResult:
        yield RoundPane(id="round", keys=self.face.keys)
        with Horizontal(classes="halves"):
            yield FullTrainingPane(id="training")
            yield TrainerPane(id="trainer")

    def sheets(self, view: View) -> tuple[Sheet, ...]:
        return (sheets.losses(view.status),)
