"""KeysInOrder: one key after another, also when they arrive faster than the screen handles them.

Textual sends each key to the widget that has the focus when the key arrives. A Tab or an Enter
that is still on its way then moves the focus too late, and the letters after it land in the wrong
field: over a slow link, or on a busy machine, where keys arrive several at once. Here a key waits
until the one before it went the whole way, from the widget with the focus up to the app, and what
it set off there (a submitted field) went that way too.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.events import Event, Key

if TYPE_CHECKING:
    from textual.dom import DOMNode

LAPS = 3  # behind the key, behind what its handlers sent, behind what these asked of the app
SLOW_S = 0.5  # a handler that takes longer holds nobody up: keys then go where the focus is


class KeysInOrder(App[None]):
    """An app whose keys wait for each other."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._keys_waiting: deque[Key] = deque()
        self._num_keys = 0
        self._on_its_way = 0  # the number of a key, or 0

    async def on_event(self, event: Event) -> None:
        if not isinstance(event, Key) or event.is_forwarded:
            await super().on_event(event)
        elif self._on_its_way:
            self._keys_waiting.append(event)
        else:
            await self._give_key(event)

    async def _give_key(self, key: Key) -> None:
        self._num_keys += 1
        self._on_its_way = number = self._num_keys
        way = (self.focused or self.screen).ancestors_with_self  # up to this app
        self.set_timer(SLOW_S, partial(self._key_done, number))
        await super().on_event(key)
        await self._follow(number, [*way] * LAPS)

    async def _follow(self, number: int, way: list[DOMNode]) -> None:
        """Be called by each on the way, behind what waits there; what closed is passed by."""
        while way:
            here, *way = way
            if here.call_later(self._follow, number, way):
                return
        await self._key_done(number)

    async def _key_done(self, number: int) -> None:
        if number == self._on_its_way:
            self._on_its_way = 0
            if self._keys_waiting and self.is_running:
                await self._give_key(self._keys_waiting.popleft())
