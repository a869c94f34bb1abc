"""Table: rows of plain text in a frame that are filled anew only when they changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = tuple[str, tuple[tuple[str, str], ...]]


class Table(DataTable[Text]):
    """A row is its key and its cells; a cell is its text and the name of a theme token, or ""."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("h", "scroll_left", "Left", show=False),
        Binding("l", "scroll_right", "Right", show=False),
        Binding("n", "cursor_down", "Next", show=False),
        Binding("N", "cursor_up", "Previous", show=False),
    ]

    def __init__(self, title: str, names: Sequence[str], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, classes="pane", cursor_type="row", zebra_stripes=False)
        self.border_title = title
        self._names = tuple(names)
        self._filled: tuple[Row, ...] = ()
        self._coloured = ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without rows its keys are free for others, such as `j` for joining."""
        if not self.row_count and action.startswith(("cursor", "scroll")):
            return False
        return super().check_action(action, parameters)

    def fill(self, rows: Sequence[Row]) -> None:
        """Show these; the cursor stays on the row that it is on."""
        if tuple(rows) == self._filled and self._coloured == self.app.theme:
            return
        if not self.columns:
            for name in self._names:
                self.add_column(Text(name), key=name)
        was_at = self.cursor_row
        at = self._filled[was_at][0] if was_at < len(self._filled) else ""
        self._filled, self._coloured = tuple(rows), self.app.theme
        colours = self.app.theme_variables
        self.clear()
        for key, cells in rows:
            made = (Text(text, colours.get(token, "")) for text, token in cells)
            self.add_row(*made, key=key)
        places = [place for place, (key, _) in enumerate(rows) if key == at]
        if places:
            self.move_cursor(row=places[0], animate=False)

    def copied(self) -> str:
        """The row under the cursor, as text."""
        if not self.row_count or self.cursor_row >= len(self._filled):
            return ""
        return "  ".join(text for text, _ in self._filled[self.cursor_row][1]).strip()
