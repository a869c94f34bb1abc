"""Help: every command with its key, from the table of commands; and the focused pane's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui import wording
from fedtui.tui.commands import COMMANDS
from fedtui.tui.keymap import shown
from fedtui.tui.modals.base import Modal, Words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult

    from fedtui.status import NodeStatus
    from fedtui.tui.command import Command
    from fedtui.tui.view import View

GROUPS = {
    "node": "The node",
    "trust": "Trust",
    "screens": "Screens",
    "display": "Display",
    "program": "Program",
}
INDENT = 10
MOVING = (("Tab", "next pane"), ("arrows, hjkl", "move"), ("Esc", "back"), ("Enter", "details"))


def keys_of(command: Command, keys: Mapping[str, str]) -> str:
    """Its keys, the operator's own instead of the table's."""
    if command.id in keys:
        return shown(keys[command.id])
    return " ".join(shown(key) for key in command.keys)


def line_of(command: Command, keys: Mapping[str, str], view: View) -> Content:
    """Key, title, what it does; dim, with the reason, if it cannot be given now."""
    why = command.why_not(view)
    key = f"{keys_of(command, keys):>8}  "
    if why:
        return Content.assemble((f"{key}{command.title}: {why}", "$quiet"))
    parts: list[str | tuple[str, str]] = [(key, "bold $accent"), command.title]
    if command.help and command.help != command.title:
        parts.append((f" · {command.help}", "$quiet"))
    return Content.assemble(*parts)


def table(keys: Mapping[str, str], view: View, width: int) -> Content:
    """All commands that have keys, by group; what is longer than `width` goes on indented."""
    made: list[Content] = []
    for group, title in GROUPS.items():
        made += (
            [Content(), Content.styled(title, "bold")] if made else [Content.styled(title, "bold")]
        )
        for one in COMMANDS:
            if one.group == group and (one.keys or one.id in keys):
                key, says = line_of(one, keys, view).divide([INDENT])
                first, *rest = says.wrap(max(20, width - INDENT))
                made += [key + first, *(line.pad_left(INDENT) for line in rest)]
    made += [Content(), Content.styled("Everywhere", "bold")]
    made += [Content.assemble((f"{key:>14}  ", "bold $accent"), what) for key, what in MOVING]
    return Content("\n").join(made)


def about(status: NodeStatus, now: float) -> str:
    """Which process the screen shows."""
    if not status.pid:
        return "no node runs"
    up = wording.span(max(0.0, now - status.started_at)) if status.started_at else "?"
    return f"node pid {status.pid}, up {up}, version {status.version or '?'}"


class Help(Modal[None]):
    """`pane` and `says`: what was focused, and what it shows."""

    heading = "Help"
    hints = (("↑ ↓", "scroll"), ("Esc", "close"), ("^p", "all commands"))
    follows = True
    wide = True

    def __init__(self, *, pane: str = "", says: str = "") -> None:
        super().__init__()
        self._pane, self._says = pane, says

    def body(self) -> ComposeResult:
        if self._says:
            yield Words(Content.assemble((self._pane, "bold"), "\n", self._says, "\n"))
        yield Words(id="table")
        yield Words(id="about", classes="quiet gap")

    def on_mount(self) -> None:
        self.query_one("#modal-body").focus()

    def shown(self, view: View) -> None:
        place = self.query_one("#table", Words)
        place.show(table(self.face.keys, view, place.size.width or self.size.width - 4))
        self.query_one("#about", Words).show(about(view.status, view.now))
