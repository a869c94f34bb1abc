"""Pane: a frame with a title that names its key, rows that follow the View, a note in the frame.

It can be focused, zoomed, and asked for the value that `y` copies. What it draws is a function of
the View and its size only, so a pane that shows the same as before writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from fedtui.tui.commands import BY_ID
from fedtui.tui.keymap import shown
from fedtui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from fedtui.tui.view import View


class Pane(Rows, can_focus=True):
    """Subclasses say what to draw in `look`; `OPENS` is the command of its screen, if any."""

    TITLE: ClassVar[str] = ""
    OPENS: ClassVar[str] = ""
    HELP: ClassVar[str] = ""

    def __init__(self, *, id: str | None = None, keys: dict[str, str] | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes="pane")
        self._keys = keys or {}
        self._view: View | None = None
        self._frame: tuple[Content, Content] | None = None

    def look(self, view: View, width: int, height: int) -> list[Content]:
        """The rows, from the top, in at most `width` by `height` cells."""
        raise NotImplementedError

    def title(self, view: View) -> Content:  # noqa: ARG002  some need it
        """Words in the frame, after the key that opens the screen."""
        return Content(self.TITLE)

    def note(self, view: View, width: int) -> Content:  # noqa: ARG002  some need them
        """Words in the lower edge of the frame."""
        return Content()

    def value(self, view: View) -> str:
        """What `y` copies: what the pane says, as lines of text."""
        return "\n".join(row.plain.rstrip() for row in self.look(view, 200, 40))

    def show(self, view: View) -> None:
        """Draw what changed."""
        self._view = view
        width, height = self.size
        if not width or not height:
            return
        self._show_frame(view, width)
        rows = self.look(view, width, height)[:height]
        self.paint(
            [
                row if row.cell_length <= width else row.truncate(width, ellipsis=True)
                for row in rows
            ]
        )

    def _show_frame(self, view: View, width: int) -> None:
        key = self._keys.get(self.OPENS, "")
        if not key and self.OPENS:
            key = BY_ID[self.OPENS].keys[0]
        title = self.title(view)
        if key:
            title = Content.assemble((shown(key), "bold $accent"), " ", title)
        frame = (title, self.note(view, width))
        if self._frame is None or not all(
            new.is_same(old) for new, old in zip(frame, self._frame, strict=True)
        ):
            self._frame = frame
            self.border_title = frame[0] if frame[0].plain else None
            self.border_subtitle = frame[1] if frame[1].plain else None

    def on_resize(self) -> None:
        if self._view is not None:
            self.show(self._view)
