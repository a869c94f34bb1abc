"""Identity: the keys of the coordinator and of this node: fingerprints, words, history, QR."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.binding import Binding
from textual.content import Content

from fedtui.status import Refused
from fedtui.tui import wording
from fedtui.tui.modals.base import Modal, Words, lines
from fedtui.tui.modals.qr import qr
from fedtui.tui.washing import washed

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from fedtui.status import Coordinator
    from fedtui.tui.view import View

NONE = "no coordinator yet: press j on the screen below to join a federation"


def coordinator_lines(one: Coordinator | None, words: tuple[str, ...]) -> Content:
    """Its pinned key, and how it came to that."""
    if one is None:
        return Content.styled(NONE, "$quiet")
    since = f"pinned {wording.day(one.pinned_at)}" if one.pinned_at else "pinned"
    history = [f"{since}; the link is refused to any other key"]
    if one.formerly:
        history.append(f"its key was rotated, vouched for by the old one; formerly {one.formerly}")
    if one.num_changed:
        history.append(f"OTHER keys were presented here {one.num_changed} times, and refused")
    said = " ".join(words) if words else "press w to ask it for its words"
    style = "bold $verified" if words else "$quiet"
    return lines(
        (f"{one.label}  {one.address}", "bold"),
        (f"  {one.fingerprint}", "bold"),
        (f"  {said}", style),
        *((f"  {text}", "$quiet") for text in history[:1]),
        *((f"  {text}", "$unverified") for text in history[1:]),
    )


class Identity(Modal[None]):
    """Both, to be compared by people; the QR is of this node's fingerprint."""

    heading = "Who is who"
    hints = (
        ("w", "coordinator's words"),
        ("y", "copy our words"),
        ("↑ ↓", "scroll"),
        ("Esc", "close"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "ask", show=False),
        Binding("y", "copy", show=False),
    ]
    follows = True

    def __init__(self) -> None:
        super().__init__()
        self._ours: tuple[str, ...] = ()
        self._theirs: tuple[str, ...] = ()

    def body(self) -> ComposeResult:
        yield Words("The coordinator", classes="head")
        yield Words(id="coordinator")
        yield Words("This node", classes="head gap")
        yield Words(id="node")
        yield Words(id="qr", classes="gap")

    def on_mount(self) -> None:
        self.query_one("#modal-body").focus()
        fingerprint = self.view.status.fingerprint
        if fingerprint:
            self.query_one("#qr", Words).show(qr(fingerprint, self.view.glyphs))
        self.ask_ours()

    def shown(self, view: View) -> None:
        status = view.status
        known = status.coordinator.words if status.coordinator is not None else ()
        self.query_one("#coordinator", Words).show(
            coordinator_lines(status.coordinator, known or self._theirs)
        )
        pid = f"pid {status.pid}, up {wording.span(view.now - status.started_at)}"
        self.query_one("#node", Words).show(
            lines(
                (status.label or "node", "bold"),
                (f"  {status.fingerprint or 'it has no key yet'}", "bold"),
                f"  {' '.join(self._ours) or '...'}",
                (f"  {status.role}, version {status.version or '?'}, {pid}", "$quiet"),
            )
        )

    @work
    async def ask_ours(self) -> None:
        try:
            self._ours = washed(await self.face.controls.words())
        except Refused as refusal:
            self._ours = ("(no words)",)
            self.refuse(refusal.text, refusal.remedy)
        self.shown(self.view)

    def action_ask(self) -> None:
        if self.view.status.coordinator is not None:
            self.ask_theirs()

    @work(exclusive=True)
    async def ask_theirs(self) -> None:
        """Ask who answers at the address; its words are shown if it is the pinned key only."""
        coordinator = self.view.status.coordinator
        if coordinator is None:
            return
        try:
            who = washed(await self.face.controls.probe(coordinator.address))
        except Refused as refusal:
            self.refuse(refusal.text, refusal.remedy)
            return
        if who.fingerprint != coordinator.fingerprint:
            text = f"another key answers at {coordinator.address}: {who.fingerprint}"
            self.refuse(text, "do not accept it without its operator's word")
            return
        self._theirs = who.words
        self.refuse("")
        self.shown(self.view)

    def action_copy(self) -> None:
        if self._ours:
            self.app.copy_to_clipboard(" ".join(self._ours))
            self.face.say("this node's words are in the clipboard")
