"""Table: rows of plain text under a heading, one of them chosen; draws only lines that changed.

Textual's DataTable draws cell by cell, which took longer than all the rest of the screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from fedtui.tui.widgets.drawn import Drawn
from fedtui.tui.widgets.rows import strip_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.events import Click

Row = tuple[str, tuple[tuple[str, str], ...]]
_HEAD = 1  # lines of it


class Table(ScrollView, can_focus=True):
    """A row is its key and its cells; a cell is its text and the name of a theme token, or ""."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k,N", "cursor(-1)", "Up", show=False),
        Binding("down,n", "cursor(1)", "Down", show=False),
        Binding("j", "cursor_next", "Down", show=False),
        Binding("pageup", "cursor_page(-1)", "Page up", show=False),
        Binding("pagedown", "cursor_page(1)", "Page down", show=False),
        Binding("home", "cursor(-1000000)", "First", show=False),
        Binding("end", "cursor(1000000)", "Last", show=False),
        Binding("enter", "cursor_open", "Open", show=False),
    ]

    class Opened(Message):
        """Enter on a row, or a click on the chosen one; `key` is the row's: rows may move."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, title: str, names: Sequence[str], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, classes="pane")
        self.border_title = title
        self._names = tuple(names)
        self._filled: tuple[Row, ...] = ()
        self._widths = [cell_len(name) for name in self._names]
        self.cursor_row = 0
        self.leaves_j = False  # to others
        self._drawn: Drawn[tuple[Row, str]] = Drawn()

    @property
    def row_count(self) -> int:
        return len(self._filled)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without rows its keys are free for others, and `j` where it is to join."""
        if not self._filled and action.startswith("cursor"):
            return False
        if action == "cursor_next" and self.leaves_j:
            return False
        return super().check_action(action, parameters)

    def fill(self, rows: Sequence[Row]) -> None:
        """Show these; the cursor stays on the row that it is on."""
        before, now = self._filled, tuple(rows)
        if now == before:
            return
        at = before[self.cursor_row][0] if self.cursor_row < len(before) else None
        self._filled = now
        places = (place for place, (key, _) in enumerate(now) if key == at)
        was_at, self.cursor_row = self.cursor_row, next(places, 0)
        widths = self._measured()
        if widths != self._widths or len(now) != len(before):
            self._widths = widths
            self.virtual_size = Size(sum(widths) + 2 * len(widths), len(now) + _HEAD)
            self.refresh()
        else:
            changed = {place for place, row in enumerate(now) if row != before[place]}
            self._refresh_rows(*changed, was_at, self.cursor_row)
        if self.cursor_row != was_at:
            self._scroll_to_cursor()

    def _measured(self) -> list[int]:
        """Cells that each column takes."""
        widths = [cell_len(name) for name in self._names]
        for _, cells in self._filled:
            for place, (text, _) in enumerate(cells):
                widths[place] = max(widths[place], len(text) if text.isascii() else cell_len(text))
        return widths

    def copied(self) -> str:
        """The row under the cursor, as text."""
        if self.cursor_row >= len(self._filled):
            return ""
        return "  ".join(text for text, _ in self._filled[self.cursor_row][1]).strip()

    # ---- drawing ------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width, place = self.scrollable_content_region.width, y - _HEAD + self.scroll_offset.y
        if y < _HEAD:
            return strip_of(self, self._line([(name, "quiet") for name in self._names]), width)
        if place >= len(self._filled):
            return Strip.blank(width, self.visual_style.rich_style)
        style = f"{'bold ' * self.has_focus}on $panel" if place == self.cursor_row else ""
        key = (self._filled[place], style)
        look = (self.visual_style, width, *self._widths)
        return self._drawn.strip(key, look, lambda: self._draw(*key, width))

    def _draw(self, row: Row, style: str, width: int) -> Strip:
        """In the colours of its cells, or all of it in `style`."""
        _, cells = row
        if not style:
            return strip_of(self, self._line(cells), width)
        line = self._line([(text, "") for text, _ in cells])
        line = line.pad_right(max(0, width - line.cell_length)).stylize(style)
        return strip_of(self, line, width)

    def _line(self, cells: Sequence[tuple[str, str]]) -> Content:
        parts: list[str | tuple[str, str]] = []
        for (text, token), width in zip(cells, self._widths, strict=True):
            cell = f" {set_cell_size(text, width)} "
            parts.append((cell, f"${token}") if token else cell)
        return Content.assemble(*parts)

    def _refresh_rows(self, *places: int) -> None:
        """Draw these anew, as far as they are in sight."""
        width, height = self.size
        lines = {place - self.scroll_offset.y + _HEAD for place in places}
        regions = [Region(0, y, width, 1) for y in lines if _HEAD <= y < height]
        if regions:
            self.refresh(*regions)

    # ---- moving -------------------------------------------------------------------------------

    def _go(self, place: int) -> None:
        was_at, self.cursor_row = self.cursor_row, min(max(0, place), len(self._filled) - 1)
        if self.cursor_row != was_at:
            self._refresh_rows(was_at, self.cursor_row)
            self._scroll_to_cursor()

    def _scroll_to_cursor(self) -> None:
        top, room = int(self.scroll_y), max(1, self.size.height - _HEAD)
        least, most = self.cursor_row - room + 1, self.cursor_row
        if not least <= top <= most:
            self.scroll_to(y=min(most, max(least, top)), animate=False, immediate=True)
            self.refresh()

    def action_cursor(self, by: int) -> None:
        self._go(self.cursor_row + by)

    def action_cursor_next(self) -> None:
        self.action_cursor(1)

    def action_cursor_page(self, by: int) -> None:
        self._go(self.cursor_row + by * max(1, self.size.height - _HEAD))

    def action_cursor_open(self) -> None:
        self.post_message(self.Opened(self._filled[self.cursor_row][0]))

    def on_click(self, event: Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or offset.y < _HEAD or not self._filled:
            return
        place = offset.y - _HEAD + int(self.scroll_y)
        if place == self.cursor_row:
            self.action_cursor_open()
        elif place < len(self._filled):
            self._go(place)

    def on_resize(self) -> None:
        self._scroll_to_cursor()

    def on_focus(self) -> None:
        self._refresh_rows(self.cursor_row)

    def on_blur(self) -> None:
        self._refresh_rows(self.cursor_row)
