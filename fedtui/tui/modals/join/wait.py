"""Step 6: what is done, and what is waited for; an operator's approval, or the next round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on, work
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button

from fedtui.status import Refused
from fedtui.tui.modals.base import Choice, Words, lines
from fedtui.tui.modals.join import events as ev
from fedtui.tui.modals.join.stepview import StepView

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.status import NodeControls, NodeStatus
    from fedtui.tui.glyphs import Glyphs
    from fedtui.tui.modals.join.machine import Wizard
    from fedtui.tui.view import View


def done(status: NodeStatus, glyphs: Glyphs) -> Content:
    """What is settled, with a tick; then what is going on."""
    tick = (f"{glyphs.ok} ", "$verified")
    made = []
    if status.coordinator is not None:
        made.append(
            Content.assemble(tick, f"coordinator's key pinned: {status.coordinator.fingerprint}")
        )
    if status.consented:
        form = status.receipt.form_hash[:8] if status.receipt is not None else ""
        made.append(Content.assemble(tick, "consent kept", f", form {form}" if form else ""))
    waiting = status.waiting
    tail = f" ({waiting.have} of {waiting.need} nodes)" if waiting is not None else ""
    made.append(
        Content.assemble(
            (f"{glyphs.steps['now']} ", "$phase-now"), (status.sentence, "bold"), tail
        )
    )
    return Content("\n").join(made)


class WaitStep(StepView):
    """For a node that must be approved: what to tell the coordinator's operator."""

    heading = "6/6 Done"
    hints = (("Enter", "close"), ("d", "detach"), ("Esc", "close"))

    def __init__(self, controls: NodeControls) -> None:
        super().__init__()
        self._controls = controls
        self._words: tuple[str, ...] | None = None

    def compose(self) -> ComposeResult:
        yield Words(id="done")
        yield Words(id="tell", classes="gap")
        with Horizontal(classes="row gap"):
            yield Choice("d detach", id="detach")
            yield Choice("Close", id="close")

    def begin(self) -> None:
        self.query_one("#close").focus()

    def show(self, wizard: Wizard, view: View) -> None:
        status = wizard.status or view.status
        self.query_one("#done", Words).show(done(status, view.glyphs))
        tell = self.query_one("#tell", Words)
        tell.display = status.state == "pending"
        if status.state != "pending":
            return
        if self._words is None:
            self._words = ()
            self.ask_words()
        tell.show(
            lines(
                "Tell the coordinator's operator, by voice or a message they trust:",
                ("  " + (" ".join(self._words) or "..."), "bold"),
                f"  {status.fingerprint}",
                ("They compare it with what their screen says of this node.", "$quiet"),
            )
        )

    @work
    async def ask_words(self) -> None:
        try:
            self._words = await self._controls.words()
        except Refused:
            self._words = ("(fingerprint only)",)

    @on(Button.Pressed, "#close")
    def close(self) -> None:
        self.happen(ev.Go())

    @on(Button.Pressed, "#detach")
    def detach(self) -> None:
        self.happen(ev.Go())
        self.app.give("detach")  # type: ignore[attr-defined]
