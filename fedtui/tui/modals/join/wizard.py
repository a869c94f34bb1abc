"""JoinWizard: shows the step that the machine is in, and carries out what the machine wants."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual_fspicker import FileOpen

from fedtui.status import Refused
from fedtui.status.wordcheck import NUM_ASKED, WordCheck
from fedtui.tui.harmless import path_like
from fedtui.tui.modals.base import Modal, Words
from fedtui.tui.modals.fields import Line
from fedtui.tui.modals.join import events as ev
from fedtui.tui.modals.join.agree import AgreeStep
from fedtui.tui.modals.join.data import DataStep
from fedtui.tui.modals.join.find import Find
from fedtui.tui.modals.join.limits import LimitsStep
from fedtui.tui.modals.join.machine import Step, Wizard, advance, begin
from fedtui.tui.modals.join.stepview import StepView
from fedtui.tui.modals.join.verify import Verify
from fedtui.tui.modals.join.wait import WaitStep
from fedtui.tui.washing import washed

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import Paste

    from fedtui.status import NodeStatus
    from fedtui.tui.view import View

MAX_INVITE = 16_384
PREFIX = "fedtui"


class JoinWizard(Modal[None]):
    """Six steps. `below(n)` draws which words are asked for; closing it loses nothing durable."""

    heading = "Join a federation"
    follows = True
    wide = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "open_invite", show=False),
        Binding("c", "clipboard", show=False),
        Binding("d", "address_or_detach", show=False),
        Binding("s", "invite", show=False),
        Binding("r", "again_or_read", show=False),
        Binding("b", "step('file')", show=False),
        Binding("f", "step('folder')", show=False),
        Binding("e", "step('export')", show=False),
    ]

    def __init__(self, *, below: Callable[[int], int] = secrets.randbelow) -> None:
        super().__init__()
        self._below = below
        self.wizard = Wizard()
        self._step: StepView | None = None
        self._one_at_a_time = asyncio.Lock()  # a step is mounted whole before the next event

    def body(self) -> ComposeResult:
        yield Vertical(id="step")
        yield Words(id="busy", classes="quiet")

    def on_mount(self) -> None:
        self.run_worker(self._begin())

    async def _begin(self) -> None:
        async with self._one_at_a_time:
            await self._moved(*begin(self.view.status))

    # ---- events and effects --------------------------------------------------------------------

    async def happened(self, event: ev.Event) -> None:
        async with self._one_at_a_time:
            await self._moved(*advance(self.wizard, event))

    @on(StepView.Happened)
    async def _heard(self, message: StepView.Happened) -> None:
        message.stop()
        await self.happened(message.event)

    async def _moved(self, wizard: Wizard, effects: tuple[ev.Effect, ...]) -> None:
        before, self.wizard = self.wizard, wizard
        if self._step is None or wizard.step is not before.step:
            await self._enter_step()
        self._draw()
        for effect in effects:
            if isinstance(effect, ev.Close):
                self.end(None)
            elif isinstance(effect, ev.Cancel):
                self.workers.cancel_group(self, "effect")
            else:
                self.run_worker(self._carry_out(effect), group="effect", exclusive=True)

    async def _carry_out(self, effect: ev.Effect) -> None:
        try:
            event = await self._answer(effect)
        except Refused as refusal:
            event = ev.Failed(refusal.text, refusal.remedy)
        await self.happened(event)

    async def _answer(self, effect: ev.Effect) -> ev.Event:
        controls = self.face.controls
        match effect:
            case ev.Discover():
                return ev.Looked(washed(await controls.discover()), self.view.now)
            case ev.Probe(address=address):
                who = washed(await controls.probe(address))
                enough = len(who.words) >= NUM_ASKED
                draw = WordCheck.draw(who.words, who.fingerprint, self._below) if enough else None
                return ev.Probed(who, draw)
            case ev.ReadInvite(text=text):
                return ev.InviteRead(washed(await controls.read_invite(text)))
            case ev.Enter():
                return await self._enter(effect)
            case ev.DryRun():
                return ev.Checked(washed(await controls.check()))
            case ev.SetLimits(limits=limits):
                await controls.limit(limits)
                return ev.LimitsKept()
            case ev.Agree(plan_hash=plan_hash):
                await controls.consent(plan_hash)
                return ev.Agreed(washed(await controls.status()))
            case ev.Cancel() | ev.Close():  # done without the node
                return ev.Seen(self.view.status)

    async def _enter(self, effect: ev.Enter) -> ev.Event:
        controls = self.face.controls
        await controls.setup(effect.setup)
        if effect.coordinator_id:
            await controls.join_at(effect.address, effect.coordinator_id)
        else:
            await controls.join(effect.invite)
        watching = controls.watch()
        try:
            async for status in watching:
                if status.problem is not None:
                    return ev.Failed(status.problem.text, status.problem.remedy)
                if status.plan is not None and (status.consented or status.state == "asking"):
                    return ev.Arrived(washed(status))
        finally:
            await watching.aclose()  # type: ignore[attr-defined]
        return ev.Failed("the node stopped while it asked for the plan", "start it: fedtui")

    # ---- drawing -------------------------------------------------------------------------------

    async def _enter_step(self) -> None:
        place = self.query_one("#step")
        await place.remove_children()
        self._step = self._view_of(self.wizard.step, self.wizard.status)
        await place.mount(self._step)
        self._step.show(self.wizard, self.view)
        self.query_one("#modal-body").scroll_home(animate=False)
        self.query_one("#modal").border_title = self._step.heading
        self.hint(self._step.hints)
        self._step.begin()

    def _view_of(self, step: Step, status: NodeStatus | None) -> StepView:
        match step:
            case Step.FIND:
                return Find()
            case Step.VERIFY:
                return Verify()
            case Step.DATA:
                return DataStep()
            case Step.LIMITS:
                return LimitsStep(status)
            case Step.CONSENT:
                return AgreeStep()
            case Step.WAIT:
                return WaitStep(self.face.controls)

    def _draw(self) -> None:
        wizard, view = self.wizard, self.view
        if self._step is not None:
            self._step.show(wizard, view)
        busy = self.query_one("#busy", Words)
        busy.display = bool(wizard.busy)
        busy.show(f"{view.glyphs.steps['now']} {wizard.busy} ..." if wizard.busy else "")
        self.refuse(wizard.trouble, wizard.remedy)

    def shown(self, view: View) -> None:
        if self._step is not None and not self._one_at_a_time.locked():
            self.run_worker(self.happened(ev.Seen(view.status)), group="seen")

    # ---- keys ----------------------------------------------------------------------------------

    async def action_back(self) -> None:
        await self.happened(ev.Back())

    async def action_open_invite(self) -> None:
        if self.wizard.step in {Step.FIND, Step.VERIFY}:
            self.run_worker(self._open_invite(), group="picker", exclusive=True)

    async def _open_invite(self) -> None:
        path = await self.app.push_screen_wait(FileOpen(Path(), title="An invite"))
        if path is None:
            return
        try:
            text = await asyncio.to_thread(_read, path)
        except (OSError, UnicodeDecodeError):
            await self.happened(ev.Failed(f"cannot read {path_like(str(path))} as an invite"))
            return
        await self.happened(ev.Invite(text))

    async def action_clipboard(self) -> None:
        if self.wizard.step not in {Step.FIND, Step.VERIFY}:
            return
        if self.app.clipboard.strip():
            await self.happened(ev.Invite(self.app.clipboard))
        else:
            self.query_one("#invite").focus()
            self.face.say("paste it with your terminal's own key")

    def action_address_or_detach(self) -> None:
        if self.wizard.step is Step.FIND:
            self.query_one("#address").focus()
        elif self.wizard.step is Step.WAIT:
            self.query_one("#detach").press()  # type: ignore[attr-defined]

    def action_invite(self) -> None:
        if self.wizard.step in {Step.FIND, Step.VERIFY}:
            self.query_one("#invite").focus()

    async def action_again_or_read(self) -> None:
        if self.wizard.step is Step.FIND:
            await self.happened(ev.Look())
        elif isinstance(self._step, AgreeStep):
            self._step.action_read()

    def action_step(self, what: str) -> None:
        """A key of the step that is shown."""
        if isinstance(self._step, DataStep) and what in {"file", "folder"}:
            getattr(self._step, f"action_{what}")()
        elif isinstance(self._step, AgreeStep) and what == "export":
            self._step.action_export()

    async def on_paste(self, event: Paste) -> None:
        """An invite that was pasted anywhere in the first two steps."""
        if isinstance(self.focused, Line) or not event.text.strip().startswith(PREFIX):
            return
        if self.wizard.step in {Step.FIND, Step.VERIFY}:
            await self.happened(ev.Invite(event.text[:MAX_INVITE]))


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_INVITE).decode()
