"""Drives the Federation: events in, records to the store, then the other effects. In that order.

Whatever waits in the queue is handled together and its records share one commit, so a thousand
answers cost a few syncs. While the disk is full nothing is said and nothing is lost: the commit is
tried again every second, and the events wait. There is one timer, at the machine's deadline.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Protocol

import structlog

from coordinator.files import StoreUnavailable
from fedtui.rounds.federation import Federation
from fedtui.rounds.machine import (
    CoordinatorEffect,
    CoordinatorEvent,
    Persist,
    Said,
    Tick,
    UpdateOpened,
)
from fedtui.rounds.records import Record
from fedtui.wire.messages import Progress

log = structlog.get_logger(__name__)

RETRY_S = 1.0
MAX_BATCH = 512
MAX_QUEUED = 20_000
"""Events that may wait; beyond it reports of progress, which nobody needs, are dropped."""
MAX_OF_ONE_NODE = 64
"""What one node may have waiting: far more than an honest one ever says between two commits. What
it says beyond that is dropped, so that it cannot fill the memory while the disk is full."""
MAX_PROGRESS = 8
"""Of these, reports of progress stop here, so that they never displace an answer."""


class Commits(Protocol):
    """The part of the store that a driver needs."""

    async def commit(self, records: Sequence[Record]) -> None: ...


class Stage(Protocol):
    """Where effects happen. `committed` runs after the records of a batch are durable."""

    async def committed(self, records: Sequence[Record], took_s: float) -> None: ...

    def perform(self, effect: CoordinatorEffect) -> None:
        """Must return at once."""
        ...

    def handled(self, events: Sequence[CoordinatorEvent]) -> None: ...


class Driver:
    """Run it as a task; `put` may be called at any time from the event loop."""

    def __init__(
        self, federation: Federation, store: Commits, stage: Stage, clock: Callable[[], float]
    ) -> None:
        self.federation = federation
        self.degraded: str | None = None
        self._store = store
        self._stage = stage
        self._clock = clock
        self._queue: deque[CoordinatorEvent] = deque()
        self._said: Counter[bytes] = Counter()
        self._wake = asyncio.Event()
        self._awaited: list[tuple[CoordinatorEvent, asyncio.Future[None]]] = []

    async def done(self, event: CoordinatorEvent) -> None:
        """Queue an event, and come back when what follows from it is durable and was performed."""
        future = asyncio.get_running_loop().create_future()
        self._awaited.append((event, future))
        self.put(event)
        await future

    def put(self, event: CoordinatorEvent) -> None:
        """Queue an event."""
        if isinstance(event, Said | UpdateOpened):
            if self._is_too_much(event):
                return
            self._said[event.node] += 1
        self._queue.append(event)
        self._wake.set()

    async def run(self) -> None:
        """Go on until cancelled.

        Raises:
            StoreFatal, StoreConflict: the process must stop.
        """
        await self._finish(self.federation.start(self._clock()), [])
        while True:
            await self._wait()
            events = self._take()
            now = self._clock()
            effects: list[CoordinatorEffect] = []
            for event in events:
                effects += self.federation.handle(event, now)
            deadline = self.federation.deadline
            if deadline is not None and deadline <= now:
                effects += self.federation.handle(Tick(), now)
            await self._finish(effects, events)

    async def retrying(self, write: Callable[[], Awaitable[None]]) -> None:
        """Do something that needs room on the disk, as soon as there is room."""
        while True:
            try:
                await write()
            except StoreUnavailable as error:
                if self.degraded is None:
                    log.warning("degraded", text=str(error))
                self.degraded = str(error)
                await asyncio.sleep(RETRY_S)
            else:
                if self.degraded is not None:
                    log.warning("recovered")
                self.degraded = None
                return

    async def _finish(
        self, effects: Sequence[CoordinatorEffect], events: Sequence[CoordinatorEvent]
    ) -> None:
        records = [effect.record for effect in effects if isinstance(effect, Persist)]
        if records:
            began = perf_counter()
            await self.retrying(lambda: self._store.commit(records))
            await self._stage.committed(records, perf_counter() - began)
        for effect in effects:
            if not isinstance(effect, Persist):
                self._stage.perform(effect)
        self._stage.handled(events)
        self._release(events)

    def _release(self, events: Sequence[CoordinatorEvent]) -> None:
        """Let those go on who wait for one of these events."""
        handled = {id(event) for event in events}
        for event, future in self._awaited:
            if id(event) in handled and not future.done():
                future.set_result(None)
        self._awaited = [one for one in self._awaited if not one[1].done()]

    def _take(self) -> list[CoordinatorEvent]:
        events = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
        for event in events:
            if isinstance(event, Said | UpdateOpened):
                self._said[event.node] -= 1
                if not self._said[event.node]:
                    del self._said[event.node]
        return events

    def _is_too_much(self, event: Said | UpdateOpened) -> bool:
        num = self._said[event.node]
        if _is_idle_talk(event):
            return len(self._queue) >= MAX_QUEUED or num >= MAX_PROGRESS
        return num >= MAX_OF_ONE_NODE

    async def _wait(self) -> None:
        """Until there is an event, or the deadline."""
        if self._queue:
            return
        self._wake.clear()
        deadline = self.federation.deadline
        if deadline is None:
            await self._wake.wait()
            return
        left_s = deadline - self._clock()
        if left_s <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(left_s):
                await self._wake.wait()
        except TimeoutError:
            return


def _is_idle_talk(event: Said | UpdateOpened) -> bool:
    return isinstance(event, Said) and isinstance(event.message, Progress)
