"""What the coordinator's screen asks and explains: questions, the new invite, details, help.

Cancel is the default of every question, and Escape goes back. Strangers' texts are never markup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.widgets import Button, Input

from fedtui.status.coordinator import InviteWish, MadeInvite
from fedtui.tui import wording
from fedtui.tui.coordinator import drawing, panes
from fedtui.tui.coordinator.keys import COMMANDS
from fedtui.tui.harmless import harmless
from fedtui.tui.modals.base import Choice, Modal, Words
from fedtui.tui.modals.fields import Field, Line, Pick
from fedtui.tui.modals.qr import qr

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from fedtui.status.coordinator import NodeRow, Role
    from fedtui.tui.coordinator.app import CoordinatorApp
    from fedtui.tui.coordinator.state import View

Result = TypeVar("Result")
MAX_HOURS = 8760.0
MAX_USES = 10_000


class Sheet(Modal[Result], Generic[Result]):
    """A modal over the coordinator's screen."""

    @property
    def face(self) -> CoordinatorApp:  # type: ignore[override]  # another screen's modal, reused
        return self.app  # type: ignore[return-value]  # nobody else pushes it

    @property
    def view(self) -> View:  # type: ignore[override]
        return self.face.view

    def shown(self, view: View) -> None:  # type: ignore[override]
        self.look_again(view)

    def look_again(self, view: View) -> None:
        """Draw what depends on the coordinator."""


class Question(Sheet[bool]):
    """Yes or Cancel; about a node, with its fingerprint and words."""

    hints = (("Tab", "choose"), ("Enter", "do it"), ("Esc", "cancel"))

    def __init__(
        self,
        heading: str,
        text: str,
        verb: str,
        *,
        node: NodeRow | None = None,
        grave: bool = False,
    ) -> None:
        super().__init__()
        self.heading = heading
        self._text, self._verb, self._node, self._grave = text, verb, node, grave
        self.follows = node is not None and node.state == "pending"

    def body(self) -> ComposeResult:
        if self._node is not None:
            yield Words(self._who(self._node), id="who")
        yield Words(self._text, classes="gap", id="question")

    def choices(self) -> ComposeResult:
        yield Choice("Cancel", id="cancel")
        yield Choice(self._verb, id="yes", classes="grave" if self._grave else "")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#cancel").focus()

    def look_again(self, view: View) -> None:
        """The words of a node that waits come a moment later."""
        name = self._node.fingerprint if self._node is not None else ""
        rows = view.board.nodes if view.board is not None else ()
        for row in rows:
            if row.fingerprint == name:
                self.query_one("#who", Words).show(self._who(row))

    def _who(self, row: NodeRow) -> Content:
        words = " ".join(row.words)
        if not words and row.state == "pending":
            words = "are being worked out..."
        pairs = [
            ("node", harmless(row.label, 48) or "(without a name)", "bold"),
            ("fingerprint", row.fingerprint, "bold $accent"),
            ("words", words, "bold $verified"),
            ("role", row.role, ""),
            ("from", harmless(row.address, 60) or "-", ""),
            ("does", row.phase, ""),
        ]
        parts: list[str | tuple[str, str]] = []
        for name, text, style in pairs:
            if text:
                parts += [(f"{name:<12}", "$quiet"), (text, style) if style else text, "\n"]
        return Content.assemble(*parts).rstrip()

    @on(Button.Pressed)
    def answer(self, event: Button.Pressed) -> None:
        _ = self.dismiss(event.button.id == "yes")


class NewInvite(Sheet[MadeInvite | None]):
    """The form of an invite; dismissed with the one that was made."""

    heading = "New invite"
    hints = (("Tab", "next"), ("arrows", "choose"), ("Esc", "cancel"))

    def body(self) -> ComposeResult:
        yield Field(
            "role", Pick(("participant", "evaluator", "observer"), "participant", id="role")
        )
        yield Field("label", Line(id="label", hint="a hint for you, such as ward-a"))
        yield Field("good for", Line(id="hours", hint="as configured"), "hours")
        yield Field("uses", Line("1", id="uses"), "nodes")
        yield Field("whoever has it", Pick(("asks", "is in at once"), "asks", id="auto"))

    def choices(self) -> ComposeResult:
        yield Choice("Cancel", id="cancel")
        yield Choice("Make it", id="make")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#role").focus()

    @on(Input.Submitted)
    async def submitted(self) -> None:
        await self._make()

    @on(Button.Pressed)
    async def pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "make":
            await self._make()
        else:
            _ = self.dismiss(None)

    async def _make(self) -> None:
        wish = self._wish()
        if wish is None:
            return

        async def make() -> None:
            _ = self.dismiss(await self.face.controls.invite(wish))

        await self.attempt(make())

    def _wish(self) -> InviteWish | None:
        """What the form says, or None after telling what is wrong with it."""
        hours_text = self.query_one("#hours", Input).value.strip()
        uses_text = self.query_one("#uses", Input).value.strip()
        hours = _number(hours_text) if hours_text else None
        if hours_text and (hours is None or not 0 < hours <= MAX_HOURS):
            self.refuse(f"hours: a number up to {MAX_HOURS:.0f}, not {hours_text[:20]!r}")
            return None
        if not uses_text.isdecimal() or not 1 <= int(uses_text[:6]) <= MAX_USES:
            self.refuse(f"uses: a whole number from 1 to {MAX_USES}")
            return None
        role: Role = "participant"
        match self.query_one("#role", Pick).value:
            case "evaluator" | "observer" as other:
                role = other
            case _:
                pass
        return InviteWish(
            role=role,
            label=self.query_one("#label", Input).value.strip(),
            hours=hours,
            uses=int(uses_text),
            auto_approve=self.query_one("#auto", Pick).value != "asks",
        )


class ShownInvite(Sheet[None]):
    """The text of a new invite, as text and as a code to scan. It is shown this once."""

    heading = "Hand this to the node's operator, over a way you trust"
    hints = (("y", "copy"), ("Esc", "close: it is not shown again"))
    wide = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy", show=False)]

    def __init__(self, made: MadeInvite) -> None:
        super().__init__()
        self._made = made

    def body(self) -> ComposeResult:
        made = self._made
        who = f"for {made.uses} {made.role}{'s' if made.uses > 1 else ''}"
        until = f"until {wording.day(made.expires)} {wording.moment(made.expires)[:5]}"
        yield Words(f"{who}, {until}, reached at {', '.join(made.addresses)}", id="about")
        yield Words(Content.styled(made.invite, "bold $accent"), classes="gap", id="invite")
        yield Words("", classes="gap", id="code")

    def on_mount(self) -> None:
        super().on_mount()
        self._fit_code()

    def on_resize(self) -> None:
        self._fit_code()

    def _fit_code(self) -> None:
        """A code that is cut cannot be scanned: then say which size it needs."""
        code = qr(self._made.invite, self.view.glyphs)
        lines = code.split("\n")
        wide, high = lines[0].cell_length + 8, len(lines) + 10
        width, height = self.app.size
        place = self.query_one("#code", Words)
        if width >= wide and height >= high:
            place.show(code)
        else:
            place.show(Content.styled(f"a code to scan needs {wide}x{high} cells", "$quiet"))

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._made.invite)
        self.face.say("copied, if the terminal allows it (OSC 52)")


class Details(Sheet[None]):
    """One node in full."""

    hints = (("y", "copy fingerprint"), ("Esc", "back"))
    follows = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy", show=False)]

    def __init__(self, node: NodeRow) -> None:
        super().__init__()
        self._node = node
        self.heading = harmless(node.label, 40) or "node"

    def body(self) -> ComposeResult:
        yield Words("", id="details")

    def look_again(self, view: View) -> None:
        rows = view.board.nodes if view.board is not None else ()
        name = self._node.fingerprint
        self._node = next((row for row in rows if row.fingerprint == name), self._node)
        self.query_one("#details", Words).show(Content("\n").join(panes.details(view, self._node)))

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._node.fingerprint)
        self.face.say(f"copied: {self._node.fingerprint}")


class HelpSheet(Sheet[None]):
    """All keys, what they do, and the same on the command line."""

    heading = "Keys"
    wide = True

    def body(self) -> ComposeResult:
        parts: list[str | tuple[str, str]] = []
        board = self.view.board
        if board is not None:
            parts.append(
                f"coordinator pid {board.pid}, fedtui {board.version}. This screen may go: the "
                "coordinator keeps working.\nRounds: counted/chosen. Bytes, late and rej are of "
                "this life of the coordinator.\n"
            )
        for command in COMMANDS:
            shown = " ".join(drawing.key_shown(key) for key in command.keys)
            parts += [("\n" if parts else ""), (f"{shown:<9}", "bold $accent"), command.title]
            why = command.why_not(self.face.scene)
            for more in (f"not now: {why}" if why else command.help, command.twin):
                if more:
                    parts.append((f"\n{'':<9}{more}", "$quiet"))
        yield Words(Content.assemble(*parts), id="help")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
