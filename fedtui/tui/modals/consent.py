"""Consent: what the operator agreed to, with its receipt; and what changed, if anything did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.content import Content
from textual.widgets import Button

from fedtui.tui import wording
from fedtui.tui.modals import consentform
from fedtui.tui.modals.base import Choice, Modal, Words, lines
from fedtui.tui.modals.consentform import Form
from fedtui.tui.modals.saving import SaveAs

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.status import NodeStatus, Receipt
    from fedtui.tui.view import View


def receipt_lines(receipt: Receipt | None) -> Content:
    """The receipt, or that there is none."""
    if receipt is None:
        return Content.styled("No receipt: nobody here has agreed to this plan.", "$unverified")
    made = [Content.styled(f"You agreed on {wording.day(receipt.at)}", "bold $verified")]
    pairs = (
        ("coordinator", receipt.coordinator),
        ("data", receipt.data),
        ("data digest", receipt.data_digest),
        ("limits", receipt.limits),
        ("plan hash", receipt.plan_hash),
        ("form hash", receipt.form_hash),
    )
    made += [Content.assemble((f"{name:<12}", "$quiet"), value) for name, value in pairs if value]
    return Content("\n").join(made)


class Consent(Modal[None]):
    """The form, the receipt, the whole plan; withdrawing needs no question: agree again with j."""

    heading = "What you agreed to"
    hints = (("↑ ↓", "scroll"), ("Tab", "choose"), ("Esc", "close"))
    follows = True
    wide = True

    def body(self) -> ComposeResult:
        yield Words(id="receipt")
        yield Words("What leaves this machine", classes="gap head")
        yield Form()
        yield Words("The plan", classes="gap head")
        yield Words(id="plan")

    def choices(self) -> ComposeResult:
        yield Choice("Close", id="close")
        yield Choice("Export", id="export")
        yield Choice("Withdraw consent", id="withdraw")

    def on_mount(self) -> None:
        self.query_one("#modal-body").focus()

    def shown(self, view: View) -> None:
        status = view.status
        self.query_one("#withdraw", Button).disabled = not status.consented
        self.query_one("#receipt", Words).show(receipt_lines(status.receipt))
        if status.plan is not None:
            self.query_one(Form).of(status.plan)
            self.query_one("#plan", Words).show(consentform.facts(status.plan))

    @on(Button.Pressed, "#close")
    def close(self) -> None:
        self.end(None)

    @on(Button.Pressed, "#export")
    def export(self) -> None:
        status = self.view.status
        if status.plan is not None:
            receipt = receipt_lines(status.receipt).plain
            text = f"{consentform.as_text(status.plan)}\n{receipt}\n"
            path = self.face.outside.exports / "consent.txt"
            self.open(SaveAs("the consent form", path, text))

    @on(Button.Pressed, "#withdraw")
    async def withdraw(self) -> None:
        if await self.attempt(self.face.controls.withdraw()):
            self.end(None)
            self.face.say("consent withdrawn: the node sits out until you agree again")


class ConsentChange(Modal[bool]):
    """The plan is not the one agreed to. Dismissed with True to read the new form now."""

    heading = "The plan changed: the node sits out"
    hints = (("Tab", "choose"), ("Enter", "do it"), ("Esc", "later"))

    def __init__(self, status: NodeStatus) -> None:
        super().__init__()
        self._status = status

    def body(self) -> ComposeResult:
        plan = self._status.plan
        if plan is not None and plan.differs:
            yield Words(consentform.changes(plan, self.view.glyphs.warn))
        yield Words(
            lines(
                "Nothing is sent under the new plan until you read it and agree.",
                ("Later: j opens it again.", "$quiet"),
            ),
            classes="gap",
        )

    def choices(self) -> ComposeResult:
        yield Choice("Later", id="later")
        yield Choice("Read the new form", id="read")

    def on_mount(self) -> None:
        self.query_one("#later").focus()

    @on(Button.Pressed)
    def chosen(self, event: Button.Pressed) -> None:
        self.end(event.button.id == "read")
