"""The three lines and the banner, as widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui import lines
from fedtui.tui.widgets.live import Live

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.tui.lines import Piece
    from fedtui.tui.view import View


MAX_BANNER = 3


def indented(pieces: Sequence[Piece], width: int) -> Content:
    """The pieces after one blank, also where the first of them had to go."""
    line = lines.fit(pieces, width)
    if line.plain.startswith(" "):
        return line
    return Content.assemble(" ", lines.fit(pieces, max(1, width - 1)))


class StatusLine(Live):
    """Line 1: who this node is and what it does."""

    def look(self, view: View) -> Content:
        return indented(lines.status_line(view), self.size.width)


class IdentityLine(Live):
    """Line 2: which coordinator, by its pinned key."""

    def look(self, view: View) -> Content:
        return indented(lines.identity_line(view), self.size.width)


class EgressLine(Live):
    """Line 3: what leaves this machine."""

    def look(self, view: View) -> Content:
        return indented(lines.egress_line(view), self.size.width)


class Banner(Live):
    """What is wrong, above the panes; takes no room while nothing is."""

    _num_rows = 0

    def show(self, view: View) -> None:
        text = lines.banner(view)
        self.display = text is not None
        rows = len(text.wrap(max(1, self.app.size.width))) if text is not None else 1
        if rows != self._num_rows:  # its words are updated without a layout: it must ask for room
            self._num_rows = rows
            self.styles.height = min(MAX_BANNER, rows)
        super().show(view)

    def look(self, view: View) -> Content:
        return lines.banner(view) or Content()
