"""The palette: every command of the table with key and twin; dim, with the reason, if not now."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Provider
from textual.content import Content

from fedtui.tui.commands import COMMANDS
from fedtui.tui.keymap import shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fedtui.tui.app import FedtuiApp
    from fedtui.tui.command import Command
    from fedtui.tui.view import View


class Commands(Provider):
    """Finds commands by a part of their title."""

    @property
    def _face(self) -> FedtuiApp:
        return cast("FedtuiApp", self.app)

    async def discover(self) -> AsyncIterator[DiscoveryHit]:
        """All of them, in the order of the table."""
        view = self._face.store.live
        for command in COMMANDS:
            if command.id != "palette":
                yield DiscoveryHit(
                    display_of(command, view),
                    partial(self._face.give, command.id),
                    text=command.title,
                    help=note_of(command, self._face.keys),
                )

    async def search(self, query: str) -> AsyncIterator[Hit]:
        """Those whose title or twin fits."""
        matcher, view = self.matcher(query), self._face.store.live
        for command in COMMANDS:
            score = max(matcher.match(command.title), matcher.match(command.twin))
            if score > 0 and command.id != "palette":
                yield Hit(
                    score,
                    display_of(command, view),
                    partial(self._face.give, command.id),
                    text=command.title,
                    help=note_of(command, self._face.keys),
                )


def display_of(command: Command, view: View) -> Content:
    """Its title; dim, with the reason, if it cannot be given now."""
    why = command.why_not(view)
    if not why:
        return Content(command.title)
    return Content.styled(f"{command.title}: {why}", "dim")


def note_of(command: Command, keys: dict[str, str]) -> str:
    """Its key, its twin, and what it does."""
    key = keys.get(command.id, "") or (command.keys[0] if command.keys else "")
    parts = [f"key {shown(key)}" if key else "", command.twin, command.help]
    return " · ".join(part for part in parts if part)
