"""Spoken: six words of this node's key and the coordinator's, made when somebody looks at them.

They come from a slow hash (half a second of processor time and 256 MB, docs/protocol.md), so they
are made once for each key, in a thread, and never only because somebody watches.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
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
        self._own: tuple[bytes, tuple[str, ...]] = (b"", ())
        self._finding: asyncio.Task[None] | None = None

    async def asked(self) -> tuple[str, ...]:
        """This node's words; the coordinator's follow by themselves."""
        own = self._home.identity.id
        if self._own[0] != own:
            self._own = (own, tuple(await asyncio.to_thread(words, own)))
        self._find_theirs()
        return self._own[1]

    def _find_theirs(self) -> None:
        shown = self._home.board.status.coordinator
        if shown is None or shown.words or self._finding is not None:
            return
        with suppress(KeyFileError):  # whatever trusts by it says so
            for known in self._home.trust.all():
                if fingerprint(known.id) == shown.fingerprint:
                    loop = asyncio.get_running_loop()
                    self._finding = loop.create_task(self._find(known.id))
                    return

    async def _find(self, key: bytes) -> None:
        found = await asyncio.to_thread(words, key)
        self._finding = None
        shown = self._home.board.status.coordinator
        if shown is not None and shown.fingerprint == fingerprint(key):
            self._home.board.post(
                status.CoordinatorPinned(coordinator=replace(shown, words=tuple(found)))
            )
