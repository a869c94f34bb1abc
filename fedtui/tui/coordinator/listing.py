"""Listing: a pane of lines with a heading, a cursor or none, that scrolls; draws only changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.message import Message

from fedtui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.binding import BindingType

Line = tuple[str, Content]  # what the line is about ("": nothing), and how it looks


class Listing(Rows, can_focus=True):
    """`picks`: a cursor chooses a line. `tail`: the newest are at the bottom and are followed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
    ]

    class Chosen(Message):
        """A line was clicked twice, or the cursor moved."""

    def __init__(self, *, id: str, picks: bool = False, tail: bool = False) -> None:  # noqa: A002
        super().__init__(id=id, classes="pane")
        self.picks = picks
        self._tail = tail
        self._head: Content | None = None
        self._filled: tuple[Line, ...] = ()
        self._cursor = 0
        self._top = 0
        self._follows = True

    @property
    def chosen(self) -> str | None:
        """What the line under the cursor is about; None if there is none."""
        if not self.picks or not self._filled:
            return None
        return self._filled[min(self._cursor, len(self._filled) - 1)][0]

    @property
    def room(self) -> int:
        """How many lines fit below the heading."""
        return max(1, self.size.height - (self._head is not None))

    def fill(self, lines: Sequence[Line], head: Content | None = None) -> None:
        """Show these lines; the cursor stays on what it was on."""
        on = self.chosen
        self._head, self._filled = head, tuple(lines)
        if self.picks and on is not None:
            names = [name for name, _ in self._filled]
            self._cursor = names.index(on) if on in names else min(self._cursor, len(names))
        self.draw()

    def choose(self, name: str) -> None:
        """Put the cursor on this line, if it is there."""
        for place, (known, _) in enumerate(self._filled):
            if known == name:
                self._cursor = place
        self.draw()

    def draw(self) -> None:
        """Paint what changed."""
        if not self.size.height:
            return
        last = max(0, len(self._filled) - self.room)
        if self.picks:
            self._cursor = max(0, min(self._cursor, len(self._filled) - 1))
            self._top = min(max(self._top, self._cursor - self.room + 1), self._cursor)
        elif self._tail and self._follows:
            self._top = last
        self._top = max(0, min(self._top, last))
        shown = [self._look(place) for place in range(self._top, len(self._filled))[: self.room]]
        head = [self._head] if self._head is not None else []
        self.paint([*head, *shown])
        below = len(self._filled) - self._top - self.room
        self._mark(self._top, max(0, below))

    def _look(self, place: int) -> Content:
        about, name_line = self._filled[place]
        if not self.picks or place != self._cursor or not about:  # nothing to choose
            return name_line
        style = "bold $background on $accent" if self.has_focus else "on $panel"
        return name_line.pad_right(max(0, self.size.width - name_line.cell_length)).stylize(style)

    def _mark(self, above: int, below: int) -> None:
        """Say in the border how much is out of sight."""
        parts = [f"{above} above" if above else "", f"{below} more" if below else ""]
        text = ", ".join(part for part in parts if part)
        if text != str(self.border_subtitle or ""):
            self.border_subtitle = text

    def action_move(self, by: int) -> None:
        if self.picks:
            self._cursor = max(0, min(self._cursor + by, len(self._filled) - 1))
            self.post_message(self.Chosen())
        else:
            last = max(0, len(self._filled) - self.room)
            self._top = max(0, min(self._top + by, last))
            self._follows = self._top == last
        self.draw()

    def action_page(self, by: int) -> None:
        self.action_move(by * self.room)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        row = -1 if offset is None else offset.y - (self._head is not None)
        if self.picks and 0 <= row < self.room:
            self._cursor = min(self._top + row, len(self._filled) - 1)
            self.post_message(self.Chosen())
            self.draw()

    def on_mouse_scroll_down(self) -> None:
        self.action_move(1)

    def on_mouse_scroll_up(self) -> None:
        self.action_move(-1)

    def on_focus(self) -> None:
        self.draw()

    def on_blur(self) -> None:
        self.draw()

    def on_resize(self) -> None:
        self.draw()
