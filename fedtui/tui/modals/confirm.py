"""Confirm: a question before what cannot be taken back; Cancel is the default.

StopNode, StopSharing and Detach are the questions that the screen asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.widgets import Button

from fedtui.tui import wording
from fedtui.tui.harmless import harmless
from fedtui.tui.modals.base import Choice, Modal, Words

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from fedtui.status import NodeStatus
    from fedtui.tui.view import View

Answer = str


@dataclass(frozen=True, slots=True)
class Option:
    """One answer; `grave` if it cannot be taken back."""

    id: str
    label: str
    grave: bool = False


class Confirm(Modal[Answer]):
    """Asks; dismissed with the id of the option, or None for Cancel and Escape."""

    default = "cancel"
    hints: tuple[tuple[str, str], ...] = (("Tab", "choose"), ("Enter", "do it"), ("Esc", "cancel"))

    def __init__(
        self, heading: str, text: str, options: tuple[Option, ...], *, cancel: str = "Cancel"
    ) -> None:
        super().__init__()
        self.heading = heading
        self._text, self._options, self._cancel = text, options, cancel

    def body(self) -> ComposeResult:
        yield Words(self._text, id="question")

    def choices(self) -> ComposeResult:
        yield Choice(self._cancel, id="cancel")
        for one in self._options:
            yield Choice(one.label, id=one.id, classes="grave" if one.grave else "")

    def on_mount(self) -> None:
        self.query_one(f"#{self.default}").focus()

    @on(Button.Pressed)
    async def answer(self, event: Button.Pressed) -> None:
        chosen = event.button.id or ""
        if chosen == "cancel":
            self.end(None)
        elif await self.carry_out(chosen):
            self.end(chosen)

    async def carry_out(self, chosen: str) -> bool:
        """What the answer asks for; False keeps the question open."""
        return bool(chosen)


def round_under_way(status: NodeStatus) -> bool:
    """Whether this node works for a round that is not over."""
    return bool(status.round.phase) and not status.round.sat_out and not status.offline_since


class StopNode(Confirm):
    """Stop the daemon: when the round is over, or now. Dismissed with the answer once it obeyed.

    The daemon cannot be asked to stop later, so this question stays open until the round is over.
    """

    follows = True

    def __init__(self, status: NodeStatus) -> None:
        self._round = (status.round.number, status.round.attempt)
        self._waits = False
        text = "You stay a member. fedtui starts the node again."
        options: tuple[Option, ...] = (Option("drop", "Stop the node", grave=True),)
        if round_under_way(status):
            text += (
                f"\n\nYour update for round {status.round.number} is under way. Finish it: the "
                "node stops when the round is over. Drop it: the others go on without you."
            )
            options = (
                Option("finish", "Finish it"),
                Option("drop", "Drop it", grave=True),
            )
        super().__init__("Stop the node and quit?", text, options)

    async def carry_out(self, chosen: str) -> bool:
        if chosen == "drop":
            return await self.attempt(self.face.controls.stop())
        self._waits = True
        self.query_one("#finish").disabled = True
        self.query_one("#cancel").focus()
        self.shown(self.view)
        return False

    def shown(self, view: View) -> None:
        if not self._waits:
            return
        status = view.status
        same = self._round == (status.round.number, status.round.attempt)
        if same and round_under_way(status) and not self._is_past(status):
            left = wording.clock(status.round.deadline_at - view.now)
            self.query_one("#question", Words).show(
                f"The node stops when round {self._round[0]} is over (deadline in {left}). "
                "Leave this open until then; Esc: do not stop."
            )
            return
        self._waits = False
        self.run_worker(self._stop())

    def _is_past(self, status: NodeStatus) -> bool:
        return any((one.number, one.attempt) == self._round for one in status.rounds)

    async def _stop(self) -> None:
        if await self.attempt(self.face.controls.stop()):
            self.end("finish")


class StopSharing(Confirm):
    """Everything ends at once, without asking the coordinator; only `y` says yes."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "yes", show=False)]
    hints = (("y", "stop sharing now"), ("Esc", "cancel"))

    def __init__(self) -> None:
        text = (
            "At once, also offline: the trainer is killed, the connection closed, what was not "
            "sent is discarded. Then the node is paused; you resume it with p.\n\n"
            "What was sent before cannot be called back."
        )
        super().__init__("Stop sharing now?", text, ())

    async def action_yes(self) -> None:
        if await self.attempt(self.face.controls.stop_sharing()):
            self.end("yes")


class Detach(Confirm):
    """Asked the first time: closing the screen does not stop the node."""

    default = "keep"

    def __init__(self, status: NodeStatus) -> None:
        name = harmless(status.label, 40) or "the node"
        text = (
            f"Keep the node running? Closing this screen does not stop {name}: it keeps working "
            f"(pid {status.pid}).\n\n"
            "fedtui = attach again, fedtui stop = stop. This is asked once."
        )
        options = (Option("keep", "Keep it running"), Option("stop", "Stop it too", grave=True))
        super().__init__("Close the screen", text, options)

    async def carry_out(self, chosen: str) -> bool:
        return chosen != "stop" or await self.attempt(self.face.controls.stop())
