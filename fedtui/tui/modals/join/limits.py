"""Step 4: how much of this machine the federation may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal
from textual.widgets import Button, Input

from fedtui.status import Limits
from fedtui.tui.modals.base import Choice, Words
from fedtui.tui.modals.fields import Pick
from fedtui.tui.modals.join import events as ev
from fedtui.tui.modals.join.stepview import StepView
from fedtui.tui.modals.limiting import LimitsForm

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.status import NodeStatus
    from fedtui.tui.modals.join.machine import Wizard
    from fedtui.tui.view import View


class LimitsStep(StepView):
    """The same form as the throttle's."""

    heading = "4/6 Limits"
    hints = (("Tab", "field"), ("← →", "choose"), ("Enter", "keep them"), ("Esc", "back"))

    def __init__(self, status: NodeStatus | None) -> None:
        super().__init__()
        self._limits = status.limits if status is not None else Limits()
        self._num_cores = status.machine.num_cores if status is not None else 0

    def compose(self) -> ComposeResult:
        yield Words("They hold at once and for good; t changes them at any time.", classes="quiet")
        yield LimitsForm(self._limits, self._num_cores)
        with Horizontal(classes="row gap"):
            yield Choice("Continue", id="continue")

    def begin(self) -> None:
        self.query_one("#cpu_percent").focus()

    def show(self, wizard: Wizard, view: View) -> None:  # noqa: ARG002
        self.query_one("#continue", Button).disabled = bool(wizard.busy)

    @on(Button.Pressed, "#continue")
    @on(Input.Submitted)
    @on(Pick.Kept)
    def keep(self) -> None:
        try:
            limits = self.query_one(LimitsForm).read()
        except ValueError as error:
            self.happen(ev.Failed(str(error)))
            return
        self.happen(ev.Limited(limits))
