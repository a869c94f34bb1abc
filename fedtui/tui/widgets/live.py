"""Live: a widget that draws one selection of the View, and repaints only when that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Static

if TYPE_CHECKING:
    from textual.content import Content

    from fedtui.tui.view import View


class Live(Static):
    """Text that follows the View. Subclasses say what to draw in `look`; nothing else repaints."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__("", id=id, classes=classes, markup=False)
        self._shown: Content | None = None
        self._view: View | None = None

    def look(self, view: View) -> Content:
        """What to draw now, in `self.size.width` by `self.size.height` cells."""
        raise NotImplementedError

    def show(self, view: View) -> None:
        """Draw, if it is other than what is there."""
        self._view = view
        if not self.size.width:
            return
        content = self.look(view)
        if self._shown is None or not content.is_same(self._shown):
            self._shown = content
            self.update(content, layout=False)

    def on_resize(self) -> None:
        if self._view is not None:
            self._shown = None
            self.show(self._view)
