"""StepView: what the view of each step of the wizard has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.message import Message

if TYPE_CHECKING:
    from fedtui.tui.modals.join.events import Event
    from fedtui.tui.modals.join.machine import Wizard
    from fedtui.tui.view import View


class StepView(Vertical):
    """Draws the wizard's state; tells the wizard what the operator did."""

    heading = ""
    hints: tuple[tuple[str, str], ...] = ()

    class Happened(Message):
        """For the wizard's machine."""

        def __init__(self, event: Event) -> None:
            super().__init__()
            self.event = event

    def happen(self, event: Event) -> None:
        self.post_message(self.Happened(event))

    def show(self, wizard: Wizard, view: View) -> None:
        """Draw what changed."""
        raise NotImplementedError

    def begin(self) -> None:
        """Focus what is used first."""
        raise NotImplementedError
