"""Updates on their way in: from a node's stream through the spool to an event for the machine.

    StreamOpened -> UpdateOpened event -> AcceptUpdate effect -> bytes flow into the spool
    StreamComplete -> thread: digest, sync, NaN?, too long? -> UpdateArrived or UpdateBroken
    (a masked update is words that look random: there is nothing to scan for)
    Acknowledge effect (its record is committed by then) -> receipt

If the disk is full, the session is closed with "try again": the node comes back, is offered the
same attempt, and resumes its upload where it stopped.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter

import structlog

from coordinator.files import StoreError, StoreFatal, StoreUnavailable
from coordinator.metrics import Metrics
from coordinator.server import NodeLink
from coordinator.spool import Promise, Spool, SpoolRefusedError, Upload
from coordinator.vectorfiles import VectorFile
from fedtui.combining.bounding import too_long
from fedtui.combining.restoring import restored
from fedtui.combining.visible import unfit
from fedtui.errors import CloseCode
from fedtui.learning.params import Manifest
from fedtui.rounds.machine import (
    AcceptUpdate,
    Acknowledge,
    CoordinatorEvent,
    RefuseUpdate,
    UpdateArrived,
    UpdateBroken,
    UpdateOpened,
)
from fedtui.rounds.shrinking import Chain, Spot
from fedtui.wire.messages import Open

log = structlog.get_logger(__name__)

RETRY_AFTER_S = 2.0
MAX_DAMAGED = 2  # uploads with a wrong digest before an update counts as broken
_TEXT_LIMIT = 200
Key = tuple[bytes, int]


@dataclass(slots=True)
class _Arrival:
    """One stream of one session."""

    link: NodeLink
    opening: Open
    upload: Upload | None = None
    wanted: bool = False
    accepted: bool = False

    @property
    def attempt(self) -> tuple[int, int]:
        return self.opening.round, self.opening.attempt

    def is_of(self, effect: AcceptUpdate | Acknowledge) -> bool:
        """Whether the effect means this stream, not one of a session before.

        A hostile node chooses its numbers, so a new session may use those of the last one.
        """
        opening = self.opening
        if isinstance(effect, Acknowledge):
            return effect.digest == opening.digest
        promised = (effect.round, effect.attempt, effect.num_bytes, effect.digest)
        return promised == (opening.round, opening.attempt, opening.num_bytes, opening.digest)


@dataclass(slots=True)
class _Landing:
    """The sink of a stream. A failing disk ends the session, not the update."""

    upload: Upload
    failed: Callable[[StoreError], None]
    lost: bool = False

    def write(self, data: memoryview) -> None:
        if self.lost:
            return
        try:
            self.upload.write(self.upload.offset, data)
        except StoreError as error:
            self.lost = True
            self.failed(error)


class _Nothing:
    """The sink of a stream of which nothing is missing."""

    def write(self, data: memoryview) -> None:
        raise OSError(f"{len(data)} bytes more than there can be")


@dataclass(slots=True)
class Doors:
    """Where results go: events to the driver, a fatal disk error to the service."""

    put: Callable[[CoordinatorEvent], None]
    fatal: Callable[[Exception], None]


@dataclass(slots=True)
class Arrivals:
    """All uploads of all sessions. Its methods belong to the event loop and return at once.

    `masked` is the plan's: under it no update can be looked into. `chain` is how nodes make their
    updates smaller, by the plan's `seed`. What is longer than `longest` is refused.
    """

    spool: Spool
    manifest: Manifest
    metrics: Metrics
    doors: Doors
    masked: bool = False
    chain: Chain = field(default_factory=Chain)
    seed: int = 0
    longest: float | None = None
    _streams: dict[Key, _Arrival] = field(default_factory=dict)
    _attempts: set[tuple[int, int]] = field(default_factory=set)
    _finished: bool = False
    _damaged: dict[tuple[int, int, bytes], int] = field(default_factory=dict)
    _checking: dict[Promise, asyncio.Future[str | None]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    # One thread for what depends on order (begin an upload, clean up), several for the rest.
    _ordered: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "spool-order")
    )
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4, "spool"))

    # ---- what a session says --------------------------------------------------------------------

    def opened(self, link: NodeLink, opening: Open) -> None:
        """A node offers an update."""
        if not _is_update(opening):
            text = "nodes send updates only: visible ones with a header, masked ones without"
            link.refuse(opening.stream, CloseCode.PROTOCOL, text=text)
            return
        self._streams[link.node_id, opening.stream] = _Arrival(link, opening)
        event = UpdateOpened(
            link.node_id,
            opening.stream,
            opening.incarnation,
            opening.round,
            opening.attempt,
            opening.num_bytes,
            opening.digest,
            opening.manifest_digest,
            opening.update,
        )
        self.doors.put(event)

    def complete(self, link: NodeLink, stream: int) -> None:
        """All bytes are in the spool."""
        arrival = self._streams.get((link.node_id, stream))
        if arrival is not None and arrival.link is link and arrival.upload is not None:
            self._start(self._verify(arrival, arrival.upload))

    def gone(self, link: NodeLink, stream: int) -> None:
        """The node gave its stream up, or it failed."""
        self._streams.pop((link.node_id, stream), None)

    def closed(self, link: NodeLink) -> None:
        """The session is over; what is in the spool stays for the next one."""
        for key in [k for k, arrival in self._streams.items() if arrival.link is link]:
            del self._streams[key]

    # ---- what the machine wants -----------------------------------------------------------------

    def accept(self, effect: AcceptUpdate) -> None:
        """Let the stream flow, from where an earlier session stopped."""
        arrival = self._streams.get((effect.node, effect.stream))
        if arrival is None or arrival.wanted or not arrival.is_of(effect):
            return
        arrival.wanted = True
        self._attempts.add((effect.round, effect.attempt))
        promise = Promise(
            effect.round, effect.attempt, effect.node, effect.num_bytes, effect.digest
        )
        self._start(self._receive(arrival, promise))

    def refuse(self, effect: RefuseUpdate) -> None:
        """Refuse the stream, or stop it."""
        arrival = self._streams.get((effect.node, effect.stream))
        if arrival is None or effect.digest not in {b"", arrival.opening.digest}:
            return
        del self._streams[effect.node, effect.stream]
        text = effect.reason[:_TEXT_LIMIT]
        arrival.link.refuse(effect.stream, _code(effect.code), text=text)

    def acknowledge(self, effect: Acknowledge) -> None:
        """The update is durable and counted: say so. Of a repeated one nothing needs to flow."""
        arrival = self._streams.get((effect.node, effect.stream))
        if arrival is None or not arrival.is_of(effect):
            return
        del self._streams[effect.node, effect.stream]
        if not arrival.accepted:
            offset = arrival.opening.num_bytes
            arrival.link.accept(effect.stream, _Nothing(), offset=offset)
        arrival.link.receipt(effect.stream, effect.digest)

    def discard(self, round_: int, attempt: int) -> None:
        """The attempt is over (every one, if `round_` is 0): its updates go."""
        if round_:
            self._attempts.discard((round_, attempt))
        else:
            self._attempts.clear()
        self._damaged.clear()
        if self._finished:
            return
        for key, arrival in list(self._streams.items()):
            if arrival.wanted and arrival.attempt not in self._attempts:
                del self._streams[key]
                text = f"round {arrival.opening.round} went on without this update"
                arrival.link.refuse(key[1], CloseCode.LIMIT, text=text)
        self._start(self._clean(frozenset(self._attempts)))

    async def finish(self) -> None:
        """Wait for what is under way, then let go of all files. No session may be open."""
        self._finished = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10.0)
        self._ordered.shutdown(wait=True)
        self._threads.shutdown(wait=True)
        self.spool.close()

    # ---- off the event loop ---------------------------------------------------------------------

    async def _receive(self, arrival: _Arrival, promise: Promise) -> None:
        link, stream = arrival.link, arrival.opening.stream
        loop = asyncio.get_running_loop()
        try:
            upload = await loop.run_in_executor(self._ordered, self.spool.receive, promise)
        except SpoolRefusedError as error:
            self._broken(promise, stream, str(error))
            return
        except StoreUnavailable as error:
            self._send_away(link, str(error))
            return
        arrival.upload = upload
        arrival.accepted = True
        self.metrics.resumed_bytes.inc(upload.offset)
        landing = _Landing(upload, lambda error: self._disk_failed(link, error))
        link.accept(stream, landing, offset=upload.offset)

    async def _verify(self, arrival: _Arrival, upload: Upload) -> None:
        promise, stream = upload.promise, arrival.opening.stream
        try:
            reason = await self._checked(upload)
        except SpoolRefusedError as error:
            self._damage(arrival, promise, str(error))
            return
        except StoreUnavailable as error:
            self._send_away(arrival.link, str(error))
            return
        if reason is not None:
            self._broken(promise, stream, reason)
            return
        event = UpdateArrived(promise.node, stream, promise.round, promise.attempt, promise.digest)
        self.doors.put(event)

    async def _checked(self, upload: Upload) -> str | None:
        """`_check`, once at a time: a node that came back shares the check of its old session."""
        running = self._checking.get(upload.promise)
        if running is None:
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._threads, self._check, upload)
            self._checking[upload.promise] = running
            running.add_done_callback(lambda _: self._checking.pop(upload.promise, None))
        return await asyncio.shield(running)

    def _check(self, upload: Upload) -> str | None:
        """In a thread: verify, sync, and look at every value that can be seen."""
        began = perf_counter()
        upload.finish()
        self.metrics.fsync.observe(perf_counter() - began)
        if self.masked:
            return None
        promise = upload.promise
        with self.spool.open(promise.round, promise.attempt, promise.node) as update:
            num_values = self.manifest.num_values
            values = VectorFile(update.handle, self.chain.num_sent(num_values))
            spot = Spot(self.seed, promise.round)
            whole = restored(values, self.chain, spot, num_values)
            return unfit(whole, self.manifest) or too_long(values, self.longest)

    async def _clean(self, keep: frozenset[tuple[int, int]]) -> None:
        """Remove the files of attempts that are over, once nobody syncs one of them."""
        busy = [f for p, f in self._checking.items() if (p.round, p.attempt) not in keep]
        if busy:
            await asyncio.wait(busy)
            keep |= self._attempts  # those that began meanwhile
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._ordered, self.spool.sweep, keep)

    # ---- what can go wrong ----------------------------------------------------------------------

    def _damage(self, arrival: _Arrival, promise: Promise, reason: str) -> None:
        """The bytes are not those announced: once or twice that may be a torn file; try again."""
        key = (promise.round, promise.attempt, promise.node)
        self._damaged[key] = self._damaged.get(key, 0) + 1
        if self._damaged[key] >= MAX_DAMAGED:
            self._broken(promise, arrival.opening.stream, reason)
        else:
            self._send_away(arrival.link, reason)

    def _broken(self, promise: Promise, stream: int, reason: str) -> None:
        log.warning("update refused", node=promise.node, round=promise.round, reason=reason)
        event = UpdateBroken(promise.node, stream, promise.round, promise.attempt, reason)
        self.doors.put(event)

    def _disk_failed(self, link: NodeLink, error: StoreError) -> None:
        if isinstance(error, StoreFatal):
            self.doors.fatal(error)
        else:
            asyncio.get_running_loop().call_soon(self._send_away, link, str(error))

    def _send_away(self, link: NodeLink, reason: str) -> None:
        log.warning("update interrupted", node=link.node_id, reason=reason)
        text = "the coordinator cannot store the update now; it will be resumed"
        link.close(CloseCode.OVERLOADED, text, retryable=True, retry_after_s=RETRY_AFTER_S)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except StoreUnavailable as error:  # cleaning up can wait for the next time
            log.warning("cannot clean the spool", text=str(error))
        except (StoreError, OSError) as error:
            self.doors.fatal(error)


def _is_update(opening: Open) -> bool:
    """Whether it is an update of either kind; which of them the plan wants, the machine knows."""
    if opening.kind == "masked":
        return opening.update is None
    return opening.kind == "update" and opening.update is not None


def _code(number: int) -> CloseCode:
    """The machine names codes by number."""
    return next((code for code in CloseCode if code == number), CloseCode.LIMIT)
