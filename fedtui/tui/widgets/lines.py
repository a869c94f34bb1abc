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

    def show(self, view: View) -> None:
        self.display = lines.banner(view) is not None
        super().show(view)

    def look(self, view: View) -> Content:
        return lines.banner(view) or Content()
