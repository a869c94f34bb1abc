"""Replay: a NodeControls that tells a recording again, in its own time, and obeys nothing."""

from __future__ import annotations

import asyncio
from itertools import chain, islice
from typing import TYPE_CHECKING

from fedtui.control.viewonly import ViewOnly
from fedtui.status import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from fedtui.status import NodeStatus


class Replay(ViewOnly):
    """Implements fedtui.status.NodeControls; `speed` 2 is twice as fast as it happened.

    `told` is read as it is shown, and one status of it is kept: in memory a recording is many
    times as large as its file, because each status is whole.
    """

    def __init__(self, told: Iterable[tuple[float, NodeStatus]], *, speed: float = 1.0) -> None:
        super().__init__(Refused("this is a recording: there is no node to command"))
        rest = iter(told)
        first = tuple(islice(rest, 1))
        self._told = chain(first, rest)
        self._speed = speed
        if first:
            self._now = first[0][1]

    async def watch(self) -> AsyncIterator[NodeStatus]:
        """Every status of the recording at its time, then nothing more; once."""
        before = 0.0
        for at, status in self._told:
            await asyncio.sleep((at - before) / self._speed)
            before, self._now = at, status
            yield status
        await asyncio.Event().wait()
