"""Modal: what all that asks or explains has: a frame, a body that scrolls, a place for refusals.

A refusal of the node is shown in the modal, with what to do, and the modal stays. Escape goes back
and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from fedtui.status import Refused
from fedtui.tui.harmless import harmless

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from fedtui.tui.app import FedtuiApp
    from fedtui.tui.view import View

Result = TypeVar("Result")
TICK_S = 0.5


class Body(VerticalScroll):
    """The part that scrolls; arrows, or j and k."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
    ]


class Words(Static):
    """Text, without markup. `show` repaints only what changed."""

    def __init__(self, text: Content | str = "", *, id: str = "", classes: str = "") -> None:  # noqa: A002
        super().__init__(text, id=id or None, classes=classes or None, markup=False)
        self._said = text if isinstance(text, Content) else Content(text)

    @property
    def said(self) -> str:
        """What is shown now."""
        return self._said.plain

    def show(self, text: Content | str) -> None:
        content = text if isinstance(text, Content) else Content(text)
        if not content.is_same(self._said):
            self._said = content
            self.update(content)


class Choice(Button):
    """A small button. Its label is never markup."""

    def __init__(self, label: str, *, id: str, classes: str = "") -> None:  # noqa: A002
        super().__init__(Content(label), id=id, classes=classes or None, compact=True)


class Modal(ModalScreen[Result], Generic[Result]):
    """Subclasses say `heading` and compose `body`, and `choices` if there are any.

    Their own `on_mount` is called before this one's, without asking for it.

    `hints` are keys and what they do, for the last line. A modal that `follows` is given the
    newest View in `shown`, twice a second.
    """

    heading: str = ""
    hints: tuple[tuple[str, str], ...] = (("Esc", "back"),)
    follows = False
    wide = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    @property
    def face(self) -> FedtuiApp:
        """The app, as what it is."""
        return self.app  # type: ignore[return-value]  # nobody else pushes this screen

    @property
    def view(self) -> View:
        """The newest, also while the display stands still: it is what is decided on."""
        return self.face.store.live

    def compose(self) -> ComposeResult:
        with Vertical(id="modal", classes="wide" if self.wide else "") as frame:
            frame.border_title = Content(self.heading)
            with Body(id="modal-body"):
                yield from self.body()
            yield Words(id="refusal")
            with Horizontal(id="modal-choices"):
                yield from self.choices()
            yield Words(self._hint_line(), id="modal-hints")

    def body(self) -> ComposeResult:
        raise NotImplementedError

    def choices(self) -> ComposeResult:
        yield from ()

    def on_mount(self) -> None:
        self.query_one("#refusal").display = False
        row = self.query_one("#modal-choices")
        row.display = bool(row.children)
        if self.follows:
            self.shown(self.view)
            self.set_interval(TICK_S, self._tick)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Let the body scroll before what is below it is pushed off the screen."""
        if not self.is_mounted or not self.query("#modal-body"):
            return  # it was closed meanwhile
        frame, body = self.query_one("#modal"), self.query_one("#modal-body")
        others = sum(one.outer_size.height + one.styles.margin.height for one in frame.children)
        others -= body.outer_size.height
        room = self.size.height - frame.gutter.height - others
        body.styles.max_height = max(1, room)

    def _tick(self) -> None:
        if self.is_active:
            self.shown(self.view)

    def shown(self, view: View) -> None:
        """Draw what depends on the node."""

    async def action_back(self) -> None:
        self.end(None)

    def end(self, result: Result | None) -> None:
        """Close, and answer whoever opened it; the app takes it away when this handler is done."""
        _ = self.dismiss(result)

    def open(self, other: ModalScreen[Any]) -> None:
        """Put another modal on top."""
        _ = self.app.push_screen(other)

    # ---- asking the node -----------------------------------------------------------------------

    async def attempt(self, doing: Awaitable[object]) -> bool:
        """Whether the node did it; what it refused is shown here."""
        try:
            await doing
        except Refused as refusal:
            self.refuse(refusal.text, refusal.remedy)
            return False
        self.refuse("")
        return True

    def refuse(self, text: str, remedy: str = "") -> None:
        """Say what was wrong and what to do; "" takes it away."""
        place = self.query_one("#refusal", Words)
        place.display = bool(text)
        mark = self.view.glyphs.error
        parts: list[str | tuple[str, str]] = [(f"{mark} {harmless(text)}", "bold $alarm")]
        if remedy:
            parts.append(f"\n  {harmless(remedy)}")
        place.show(Content.assemble(*parts) if text else "")
        self.call_after_refresh(self._fit)

    def hint(self, hints: tuple[tuple[str, str], ...]) -> None:
        """Show other keys in the last line."""
        self.hints = hints
        self.query_one("#modal-hints", Words).show(self._hint_line())

    def _hint_line(self) -> Content:
        parts: list[str | tuple[str, str]] = []
        for key, what in self.hints:
            parts += [(key, "bold $accent"), f" {what}  "]
        return Content.assemble(*parts).rstrip()


def lines(*pieces: str | tuple[str, str]) -> Content:
    """Pieces of text below each other, plain or with a style."""
    parts: list[str | tuple[str, str]] = []
    for place, piece in enumerate(pieces):
        if place:
            parts.append("\n")
        parts.append(piece)
    return Content.assemble(*parts)
