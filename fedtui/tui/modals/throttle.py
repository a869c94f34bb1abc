"""Throttle and schedule: the operator's limits, at once and for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.content import Content
from textual.widgets import Button, Input

from fedtui.status import Limits
from fedtui.tui.modals.base import Choice, Modal, Words
from fedtui.tui.modals.fields import Pick
from fedtui.tui.modals.limiting import LimitsForm, deadline_note

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.tui.view import View


class Throttle(Modal[Limits]):
    """Dismissed with the new limits once the node took them."""

    heading = "Throttle and schedule"
    hints = (("Tab ↑ ↓", "field"), ("← →", "choose"), ("Enter", "apply"), ("Esc", "cancel"))
    follows = True

    def body(self) -> ComposeResult:
        status = self.view.status
        yield LimitsForm(status.limits, status.machine.num_cores)
        yield Words(id="note", classes="unverified")

    def choices(self) -> ComposeResult:
        yield Choice("Cancel", id="cancel")
        yield Choice("Apply", id="apply")

    def on_mount(self) -> None:
        self.query_one("#cpu_percent").focus()

    def shown(self, view: View) -> None:
        try:
            note = deadline_note(view.status, self._form.read(), view.now)
        except ValueError:
            note = ""
        self.query_one("#note", Words).show(Content(f"{view.glyphs.warn} {note}" if note else ""))

    @property
    def _form(self) -> LimitsForm:
        return self.query_one(LimitsForm)

    @on(Pick.Picked)
    @on(Input.Changed)
    def changed(self) -> None:
        self.shown(self.view)

    @on(Button.Pressed, "#cancel")
    def cancel(self) -> None:
        self.end(None)

    @on(Button.Pressed, "#apply")
    @on(Input.Submitted)
    @on(Pick.Kept)
    async def apply(self) -> None:
        try:
            limits = self._form.read()
        except ValueError as error:
            self.refuse(str(error))
            return
        if await self.attempt(self.face.controls.limit(limits)):
            self.end(limits)
