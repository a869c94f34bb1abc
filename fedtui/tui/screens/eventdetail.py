"""EventDetail: one line of the log in full, for those that are longer than the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from fedtui.tui import wording

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.status import LogLine


class EventDetail(ModalScreen[None]):
    """Escape, Enter or q close it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "close", "Close", show=False)
    ]

    def __init__(self, line: LogLine) -> None:
        super().__init__()
        self._line = line

    def compose(self) -> ComposeResult:
        line = self._line
        head = f"{wording.day(line.at)} {wording.moment(line.at)} · {line.level} · {line.source}"
        with VerticalScroll(id="event-detail", classes="pane"):
            yield Static(Content.styled(head, "$quiet"), markup=False)
            yield Static(Content(line.text), markup=False)

    async def action_close(self) -> None:
        await self.app.pop_screen()
