"""Lookout: keeps a Finder listening for as long as a screen keeps asking, and not longer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from node import pins

if TYPE_CHECKING:
    from pathlib import Path

    from fedtui.status import FoundCoordinator
    from node.discovery import Finder

FIRST_S = 2.5
IDLE_S = 60.0


class Lookout:
    """For the daemon, which listens to nobody until it is asked. `base` holds the profiles."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._finder: Finder | None = None
        self._task: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._ready_at = 0.0

    async def found(self) -> tuple[FoundCoordinator, ...]:
        """What is announced now; the first time it listens for FIRST_S before it answers."""
        loop = asyncio.get_running_loop()
        if self._finder is None or self._task is None or self._task.done():
            self._begin(loop)
        self._stay(loop)
        await asyncio.sleep(max(0.0, self._ready_at - loop.time()))
        return self._finder.found() if self._finder is not None else ()

    async def close(self) -> None:
        """Listen no more."""
        if self._idle is not None:
            self._idle.cancel()
        task, self._task, self._finder = self._task, None, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        from node.discovery import Finder  # noqa: PLC0415 - zeroconf is large, and rarely needed

        self._finder = Finder(lambda: pins.pins(self._base))
        self._task = loop.create_task(self._finder.run())
        self._ready_at = loop.time() + FIRST_S

    def _stay(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = loop.call_later(IDLE_S, self._end)

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._finder = None
