"""Spoken: six words of this node's key and the coordinator's, made when somebody looks at them.

They come from a slow hash (half a second of processor time and 256 MB, docs/protocol.md), so they
are made once for each key, in a thread, and never only because somebody watches.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fedtui import status
from fedtui.crypto.keys import fingerprint
from fedtui.crypto.words import words
from fedtui.errors import KeyFileError

if TYPE_CHECKING:
    from node.home import Home


class Spoken:
    """Makes words; those of the coordinator are posted as part of what is known of it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._making: dict[bytes, asyncio.Task[tuple[str, ...]]] = {}
        """By key; what failed is not kept, so that it can be tried again."""

    async def asked(self) -> tuple[str, ...]:
        """This node's words; the coordinator's follow by themselves, one hash at a time."""
        own = await asyncio.shield(self._made(self._home.identity.id))
        self._find_theirs()
        return own

    def _made(self, key: bytes) -> asyncio.Task[tuple[str, ...]]:
        making = self._making.get(key)
        if making is None:
            making = asyncio.get_running_loop().create_task(_make(key))
            self._making[key] = making
            making.add_done_callback(partial(self._over, key))
        return making

    def _over(self, key: bytes, making: asyncio.Task[tuple[str, ...]]) -> None:
        if not _has_come(making):
            del self._making[key]

    def _find_theirs(self) -> None:
        shown = self._home.board.status.coordinator
        if shown is None or shown.words:
            return
        with suppress(KeyFileError):  # whatever trusts by it says so
            for known in self._home.trust.all():
                if fingerprint(known.id) == shown.fingerprint:
                    self._made(known.id).add_done_callback(partial(self._show, known.id))
                    return

    def _show(self, key: bytes, making: asyncio.Task[tuple[str, ...]]) -> None:
        if not _has_come(making):
            return
        shown = self._home.board.status.coordinator
        if shown is None or shown.words:
            return
        if shown.fingerprint != fingerprint(key):  # another one came meanwhile
            self._find_theirs()
            return
        self._home.board.post(
            status.CoordinatorPinned(coordinator=replace(shown, words=making.result()))
        )


async def _make(key: bytes) -> tuple[str, ...]:
    return tuple(await asyncio.to_thread(words, key))


def _has_come(making: asyncio.Task[tuple[str, ...]]) -> bool:
    return making.done() and not making.cancelled() and making.exception() is None
