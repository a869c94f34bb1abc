"""The footer: the keys that matter now, from the table of commands; low priorities go first."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.content import Content

from fedtui.tui import commands
from fedtui.tui.keymap import shown
from fedtui.tui.widgets.live import Live

if TYPE_CHECKING:
    from fedtui.tui.app import FedtuiApp
    from fedtui.tui.view import View


class Footer(Live):
    """Keys are the operator's own where they chose some."""

    def look(self, view: View) -> Content:
        width = self.size.width
        for most in range(8, 0, -1):
            line = self._line(view, most)
            if line.cell_length <= width:
                break
        else:
            line = self._line(view, 1)
        palette = Content.assemble(("^p", "bold $accent"), " palette")
        room = width - line.cell_length - palette.cell_length
        return Content.assemble(line, " " * room, palette) if room > 1 else line

    def _line(self, view: View, most: int) -> Content:
        parts: list[str | tuple[str, str]] = []
        for command in commands.footer(view, most):
            key = shown(cast("FedtuiApp", self.app).keys.get(command.id, "") or command.keys[0])
            parts += [(f" {key}", "bold $accent"), f" {command.short} "]
        return Content.assemble(*parts)
