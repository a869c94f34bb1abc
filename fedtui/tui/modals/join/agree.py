"""Step 5: the consent form, and the word that says yes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Input

from fedtui.tui.modals import consentform
from fedtui.tui.modals.base import Choice, Words
from fedtui.tui.modals.consentform import Form
from fedtui.tui.modals.fields import Field, Line
from fedtui.tui.modals.join import events as ev
from fedtui.tui.modals.join.data import report_of
from fedtui.tui.modals.join.machine import AGREED
from fedtui.tui.modals.join.stepview import StepView
from fedtui.tui.modals.limiting import sentence
from fedtui.tui.modals.saving import SaveAs

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.status import PlanSummary
    from fedtui.tui.modals.join.machine import Wizard
    from fedtui.tui.view import View


class AgreeStep(StepView):
    """Whatever the plan says leaves, item by item; a plan that changes clears what was typed."""

    heading = "5/6 What will leave"
    hints = (("Tab", "field"), ("r", "full form"), ("e", "export"), ("Esc", "do not agree"))

    def __init__(self) -> None:
        super().__init__()
        self._plan: PlanSummary | None = None
        self._full = False

    def compose(self) -> ComposeResult:
        yield Words(id="changes")
        yield Words(id="intro")
        yield Form()
        yield Words(id="full", classes="gap")
        yield Words(id="report")
        yield Field("I agree: type", Line(id="agree", hint=AGREED), "Enter")
        with Horizontal(classes="row"):
            yield Choice("r full form", id="read")
            yield Choice("e export", id="export")
            yield Choice("Try again", id="again")

    def begin(self) -> None:
        self.query_one("#agree").focus()

    def show(self, wizard: Wizard, view: View) -> None:
        plan = wizard.plan
        if plan is None:
            return
        if self._plan is not None and plan.form_hash + plan.plan_hash != (
            self._plan.form_hash + self._plan.plan_hash
        ):
            self.query_one("#agree", Line).value = ""
        self._plan = plan
        glyphs = view.glyphs
        differs = consentform.changes(plan, glyphs.warn)
        changes = self.query_one("#changes", Words)
        changes.display = bool(differs)
        changes.show(differs)
        limits = sentence(wizard.status.limits) if wizard.status is not None else ""
        self.query_one("#intro", Words).show(
            Content.assemble(
                (plan.federation, "bold"),
                (f"  form {plan.form_hash[:8]}  {limits}", "$quiet"),
                f"\n{plan.privacy}" if plan.privacy else "",
            )
        )
        self.query_one(Form).of(plan)
        full = self.query_one("#full", Words)
        full.display = self._full
        full.show(consentform.facts(plan))
        problems = wizard.report is not None and bool(wizard.report.problems)
        report = self.query_one("#report", Words)
        report.display = problems
        report.show(report_of(wizard.report, glyphs))
        self.query_one("#again").display = wizard.report is None and not wizard.busy
        self.query_one("#agree", Line).disabled = not wizard.can_agree
        if wizard.can_agree and self.screen.focused is None:
            self.query_one("#agree").focus()

    @on(Input.Submitted, "#agree")
    def said(self, event: Input.Submitted) -> None:
        if self._plan is not None:
            self.happen(ev.Said(event.value, self._plan.plan_hash))

    @on(Button.Pressed, "#again")
    def again(self) -> None:
        self.happen(ev.Go())

    @on(Button.Pressed, "#read")
    def action_read(self) -> None:
        self._full = not self._full
        full = self.query_one("#full")
        full.display = self._full
        if self._full:
            self.call_after_refresh(full.scroll_visible)

    @on(Button.Pressed, "#export")
    def action_export(self) -> None:
        if self._plan is not None:
            path = self.app.outside.exports / "consent-form.txt"  # type: ignore[attr-defined]
            _ = self.app.push_screen(
                SaveAs("the consent form", path, consentform.as_text(self._plan))
            )
