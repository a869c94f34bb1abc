"""Step 3: where the examples are; the plan; and the dry run of the one on the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Input
from textual_fspicker import FileOpen, SelectDirectory

from fedtui.status import Setup
from fedtui.tui import wording
from fedtui.tui.harmless import harmless
from fedtui.tui.modals.base import Choice, Words
from fedtui.tui.modals.fields import Field, Line, Tick
from fedtui.tui.modals.join import events as ev
from fedtui.tui.modals.join.stepview import StepView

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.status import CheckReport, PlanSummary
    from fedtui.tui.glyphs import Glyphs
    from fedtui.tui.modals.join.machine import Wizard
    from fedtui.tui.view import View

SAYS = (
    "Asking for the plan tells the coordinator this node's key, name and address. Nothing of your "
    "data is said or sent before you agree in step 5."
)


def task_of(plan: PlanSummary | None) -> Content:
    """What the federation wants to learn, and what it needs for that."""
    if plan is None:
        return Content.styled("The plan comes when the coordinator lets this node in.", "$quiet")
    rounds = f", {plan.max_rounds} rounds" if plan.max_rounds else ""
    size = f" ({wording.size(plan.num_model_bytes)})" if plan.num_model_bytes else ""
    parts: list[str | tuple[str, str]] = [
        (plan.federation, "bold"),
        f"  {plan.task}{rounds}  {plan.model}{size}",
    ]
    if plan.needs:
        parts.append(f"\nneeds {plan.needs}")
    return Content.assemble(*parts)


def report_of(report: CheckReport | None, glyphs: Glyphs) -> Content:
    """What the dry run found: problems first, they stop; then warnings, then facts."""
    if report is None:
        return Content()
    made = [Content.styled(f"{glyphs.error} {harmless(one)}", "$alarm") for one in report.problems]
    made += [
        Content.styled(f"{glyphs.warn} {harmless(one)}", "$unverified") for one in report.warnings
    ]
    made += [
        Content.assemble((f"{glyphs.ok} ", "$verified"), harmless(one)) for one in report.facts
    ]
    return Content("\n").join(made)


class DataStep(StepView):
    """Asks where the data is; `Try it` asks for the plan, then tries it here."""

    heading = "3/6 Task and data"
    hints = (
        ("Tab", "field"),
        ("Enter", "try it"),
        ("b", "file"),
        ("f", "folder"),
        ("Esc", "back"),
    )

    def compose(self) -> ComposeResult:
        yield Words(id="task")
        yield Field("your data", Line(id="data", hint="as node.toml says"))
        with Horizontal(classes="row"):
            yield Choice("b file", id="file")
            yield Choice("f folder", id="folder")
        yield Field(
            "your name there", Line(id="label", hint="as node.toml says"), "may be an alias"
        )
        yield Tick("also if the coordinator can read each update of mine", id="visible")
        yield Words(SAYS, id="says", classes="quiet gap")
        yield Words(id="report")
        with Horizontal(classes="row gap"):
            yield Choice("Try it", id="try")
            yield Choice("Continue", id="continue")

    def begin(self) -> None:
        self.query_one("#data").focus()

    def show(self, wizard: Wizard, view: View) -> None:
        self.query_one("#task", Words).show(task_of(wizard.plan))
        self.query_one("#says").display = not wizard.asked
        self.query_one("#report", Words).show(report_of(wizard.report, view.glyphs))
        self.query_one("#try", Button).disabled = bool(wizard.busy)
        button = self.query_one("#continue", Button)
        ready = wizard.can_agree
        if ready and button.disabled:
            button.disabled = False
            button.focus()
            button.scroll_visible()
        button.disabled = not ready

    @on(Button.Pressed, "#try")
    @on(Input.Submitted)
    def try_it(self) -> None:
        data = self.query_one("#data", Line).value.strip()
        label = self.query_one("#label", Line).value.strip()
        visible = self.query_one("#visible", Tick).value
        path = str(Path(data).expanduser().absolute()) if data else None
        self.happen(ev.Data(Setup(data=path, label=label or None, visible=visible or None)))

    @on(Button.Pressed, "#continue")
    def go(self) -> None:
        self.happen(ev.Go())

    @on(Button.Pressed, "#file")
    def action_file(self) -> None:
        self.browse(FileOpen(self._start, title="Your data: a file"))

    @on(Button.Pressed, "#folder")
    def action_folder(self) -> None:
        self.browse(SelectDirectory(self._start, title="Your data: a folder"))

    @property
    def _start(self) -> Path:
        typed = Path(self.query_one("#data", Line).value.strip() or ".").expanduser()
        folder = typed if typed.is_dir() else typed.parent
        return folder if folder.is_dir() else Path()

    @work
    async def browse(self, picker: FileOpen | SelectDirectory) -> None:
        chosen = await self.app.push_screen_wait(picker)
        if chosen is not None:
            self.query_one("#data", Line).value = str(chosen)
            self.query_one("#data").focus()
