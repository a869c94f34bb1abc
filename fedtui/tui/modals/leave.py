"""Leave: end the membership after this round or now, with what follows from it; Cancel default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.content import Content
from textual.widgets import Button, RadioButton, RadioSet

from fedtui.tui import wording
from fedtui.tui.harmless import harmless
from fedtui.tui.modals.base import Choice, Modal, Words
from fedtui.tui.modals.confirm import round_under_way
from fedtui.tui.modals.fields import Tick

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.status import NodeStatus
    from fedtui.tui.view import View


def consequences(status: NodeStatus, *, after_round: bool) -> str:
    """What leaving this way means for the round, in a sentence. Pure."""
    if not round_under_way(status):
        return "No round of yours is under way."
    privacy, number = status.privacy, status.round.number
    if after_round:
        return f"Your update for round {number} still counts."
    if not privacy.masked or not privacy.cohort:
        return f"Your update for round {number} is dropped; the others go on."
    remain = privacy.cohort - 1
    can = remain >= privacy.threshold
    verdict = "the round can finish" if can else "the round CANNOT finish"
    return f"{remain} of {privacy.cohort} remain, threshold {privacy.threshold}: {verdict}."


class Leave(Modal[str]):
    """Dismissed with 'after' or 'now' once the node obeyed, None for Cancel."""

    hints = (("Tab", "next"), ("↑ ↓", "choose"), ("Enter", "do it"), ("Esc", "cancel"))
    follows = True

    def __init__(self, status: NodeStatus) -> None:
        super().__init__()
        name = harmless(status.plan.federation, 40) if status.plan else "the federation"
        self.heading = f"Leave {name}?"
        self._after = round_under_way(status)
        self._counted = status.rounds_counted

    def body(self) -> ComposeResult:
        with RadioSet(id="when", compact=True):
            yield RadioButton(Content("after this round"), value=self._after, id="after")
            yield RadioButton(Content("now"), value=not self._after, id="now")
        yield Words(id="consequences", classes="unverified")
        yield Tick("also forget the coordinator's key", id="forget")
        yield Words(
            f"What was sent cannot be withdrawn: the sums of your {self._counted} rounds stay in "
            "the model. The ledger, your key and your data stay here.",
            classes="gap",
        )

    def choices(self) -> ComposeResult:
        yield Choice("Cancel", id="cancel")
        yield Choice("Leave", id="leave", classes="grave")

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()

    def shown(self, view: View) -> None:
        status, busy = view.status, round_under_way(view.status)
        after = self.query_one("#after", RadioButton)
        left = wording.clock(status.round.deadline_at - view.now)
        after.label = Content(
            f"after round {status.round.number} (at most {left})" if busy else "after this round"
        )
        if not busy and not after.disabled:
            self.query_one("#now", RadioButton).value = True
        after.disabled = not busy
        self.query_one("#consequences", Words).show(
            Content("  " + consequences(status, after_round=self._chose_after))
        )

    @property
    def _chose_after(self) -> bool:
        return self.query_one("#after", RadioButton).value

    @on(RadioSet.Changed)
    def changed(self) -> None:
        self.shown(self.view)

    @on(Button.Pressed, "#cancel")
    def cancel(self) -> None:
        self.end(None)

    @on(Button.Pressed, "#leave")
    async def leave(self) -> None:
        after, forget = self._chose_after, self.query_one("#forget", Tick).value
        if await self.attempt(self.face.controls.leave(after_round=after, forget=forget)):
            self.end("after" if after else "now")
