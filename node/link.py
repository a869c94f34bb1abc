"""The node's side of the connection: dial, run a session, and start over when it ends.

    run():  dial each address in turn -> handshake -> Welcome -> events -> the session ends
            -> by its code: wait (full jitter) and dial again, or stop

How a session ended decides what follows (fedtui/errors.py, `CloseCode.retry`), but only if it is
authentic: an encrypted ERROR, or our own verdict. A bare close code can be forged by anybody on
the path; it is a network error, and network errors are retried for ever.

The wait before try n is uniform between 0 and min(30 s, 0.5 s * 2^n), so that a thousand nodes do
not come back at once, and at least what the coordinator asked for.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import aiohttp

from fedtui.crypto.keys import Identity, PublicIdentity
from fedtui.errors import CloseCode, Retry
from fedtui.link.live import LiveSession
from fedtui.wire.bulk import Sink, Source
from fedtui.wire.events import ServerIdentified, SessionEnded, SessionEvent, Welcomed
from fedtui.wire.halves import NodeHello, NodeSession
from fedtui.wire.messages import PROTOCOL_MAX, PROTOCOL_MIN, FromNode, Open, ServerHello, Welcome
from node.dial import HEARTBEAT_S, cut, dial, new_http, not_reached, session_start, shut
from node.meter import Meter, Traffic
from node.pacing import Bucket

if TYPE_CHECKING:
    from fedtui.wire.rotation import Succession

BASE_S = 0.5
CAP_S = 30.0
WELCOME_S = 20.0
MAX_DOUBLINGS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Why there is no session: `retry` is what the node does about it, `text` is safe to show."""

    code: int
    text: str
    retry: Retry


@dataclass(frozen=True, slots=True)
class LinkStopped:
    """The link gave up, for a reason that trying again does not cure. A person must act."""

    code: int
    text: str


class LinkHandler(Protocol):
    """What the node's service hears. Every call must return at once."""

    def connected(self, welcome: Welcome) -> None:
        """A session stands. Work may follow `Link.ready(plan_hash)`."""
        ...

    def event(self, event: SessionEvent) -> None:
        """Something happened on the session: a message, or a stream moved on."""
        ...

    def disconnected(self, drop: Drop, retry_in_s: float | None) -> None:
        """There is no session (any more); the next try comes in so many seconds, None: never.

        Said after every failed try too, so that a screen can show the reason and count down.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What tests and many links in one process set otherwise.

    `jitter` gives uniform numbers in [0, 1); `http` may be shared by many links (see `new_http`).
    """

    jitter: Callable[[], float] = secrets.SystemRandom().random
    sleep: Callable[[float], Coroutine[None, None, None]] = asyncio.sleep
    http: aiohttp.ClientSession | None = None
    heartbeat_s: float = HEARTBEAT_S
    versions: tuple[int, int] = (PROTOCOL_MIN, PROTOCOL_MAX)


class Link:
    """One node's connection to its coordinator, for as long as `run()` runs.

    What is said while no session stands is dropped: the calls return False or None. A stream ends
    with its session; open it anew in the next one, and it goes on where the other side is.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        addresses: Sequence[str],
        coordinator_id: bytes,
        hello: NodeHello,
        handler: LinkHandler,
        tuning: Tuning | None = None,
    ) -> None:
        """Take who we are, whom we trust, and where to find them; nothing is dialled yet.

        Args:
            identity: our keys.
            addresses: "host:port" or "[v6]:port", or such with http:// or https:// before; they
                are tried in turn, the one that worked last first.
            coordinator_id: the pinned 32-byte id; `identify` asks for it where none is known.
            hello: what we say of ourselves.
            handler: hears what happens.
            tuning: for tests, and for many links in one process.
        """
        self.meter = Meter()
        self.coordinator: PublicIdentity | None = None
        self.server_hello: ServerHello | None = None
        self.last_rotation = 0  # of the coordinator, as far as the trust store knows
        self.successions: tuple[Succession, ...] = ()
        self._identity = identity
        self._addresses = list(addresses)
        self._coordinator_id = coordinator_id
        self._hello = hello
        self._handler = handler
        self._tuning = tuning or Tuning()
        self._live: LiveSession[NodeSession] | None = None
        self._welcomed = False
        self._stopping = asyncio.Event()
        self._pause: asyncio.Task[None] | None = None
        self._websocket: aiohttp.ClientWebSocketResponse | None = None
        self._bucket = Bucket()
        self._held: asyncio.TimerHandle | None = None

    # ---- what the service may say -------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether a session stands: the coordinator has welcomed us."""
        return self._live is not None and self._welcomed and self._live.ended is None

    @property
    def round_trip_s(self) -> float | None:
        """The last round trip of a control message; None if none was measured yet."""
        return None if self._live is None else self._live.round_trip_s

    def traffic(self, now: float) -> Traffic:
        """Return bytes and rates at `now`, in seconds of any one clock."""
        return self.meter.read(now, round_trip_s=self.round_trip_s)

    def totals(self) -> tuple[int, int]:
        """Bytes of all frames of all sessions so far: sent, received."""
        return self.meter.totals()

    def use_hello(self, hello: NodeHello) -> None:
        """Say this from the next session on, such as no invite any more."""
        self._hello = hello

    def ready(self, plan_hash: bytes, declared: Mapping[str, str] = MappingProxyType({})) -> bool:
        """Consent to the plan of the last Welcome, and declare what it asks for.

        False if nobody asks for that consent (any more).
        """
        if self._live is None or not self._live.session.asks_consent_to(plan_hash):
            return False
        self._live.session.ready(plan_hash, declared)
        self._live.wake()
        return True

    def send(self, message: FromNode) -> bool:
        """Queue a control message; False if it was dropped."""
        return self._live is not None and self._live.send(message)

    def open_stream(self, opening: Open, source: Source) -> int | None:
        """Offer a stream; return its number (`opening.stream` is ignored), None if dropped."""
        if self._live is None:
            return None
        return self._live.open_stream(opening, _Counted(source, self._took))

    def accept(self, stream: int, sink: Sink, *, offset: int = 0) -> bool:
        """Let their stream flow into `sink` from `offset` on; False if it is gone."""
        return self._live is not None and self._live.accept(stream, sink, offset=offset)

    def refuse(self, stream: int, code: CloseCode, *, text: str) -> bool:
        """Refuse their stream, or stop it while it flows; False if it is gone."""
        return self._live is not None and self._live.refuse(stream, code, text=text)

    def receipt(self, stream: int, digest: bytes) -> bool:
        """Confirm that their stream is verified and durable here; False if it is gone."""
        return self._live is not None and self._live.receipt(stream, digest)

    def cancel_stream(self, stream: int) -> bool:
        """Give up a stream that we opened; False if it is gone."""
        return self._live is not None and self._live.cancel_stream(stream)

    def reconnect(self, text: str = "the node starts a new session") -> None:
        """End this session and begin a new one at once; while waiting, do not wait any longer."""
        if self._live is not None:
            self._live.close(CloseCode.BYE, text, retryable=True)
        self.retry()

    def retry(self) -> None:
        """Dial now, if the link waits before it tries again."""
        if self._pause is not None:
            self._pause.cancel()

    def pace(self, bytes_per_s: float) -> None:
        """Let no more than this leave of our streams; 0: as much as goes. Holds at once."""
        self._bucket.rate = bytes_per_s
        self._hold()

    def cut(self) -> None:
        """Drop the connection at once, with all that was not delivered; `run()` returns."""
        self._stopping.set()
        if self._live is not None and self._websocket is not None:
            self._live.session.lost(_STOPPED.text)
            cut(self._websocket)
            self._live.wake()
        self.retry()

    def stop(self, text: str = "the node stops") -> None:
        """Say goodbye and let `run()` return."""
        self._stopping.set()
        self.reconnect(text)

    # ---- pacing -------------------------------------------------------------------------------

    def _took(self, num_bytes: int) -> None:
        self._bucket.took(num_bytes, asyncio.get_running_loop().time())
        self._hold()

    def _hold(self) -> None:
        """Hold our streams until the operator's rate allows more, then look again."""
        if self._held is not None:
            self._held.cancel()
            self._held = None
        loop = asyncio.get_running_loop()
        wait_s = self._bucket.wait_s(loop.time())
        if self._live is not None:
            self._live.hold_data(wait_s > 0)
        if wait_s > 0:
            self._held = loop.call_later(wait_s, self._hold)

    # ---- dialling -----------------------------------------------------------------------------

    async def run(self) -> LinkStopped:
        """Keep a session up until the link is stopped, or a person must act; return why."""
        async with contextlib.AsyncExitStack() as stack:
            http = self._tuning.http
            if http is None:
                http = await stack.enter_async_context(new_http())
            num_failures = 0
            while not self._stopping.is_set():
                ended = await self._try_addresses(http)
                drop = judge(ended)
                if self._stopping.is_set() or drop.retry in _STOPS:
                    self._handler.disconnected(drop, None)
                    return LinkStopped(drop.code, drop.text)
                num_failures = 0 if self._welcomed else num_failures + 1
                ceiling = min(CAP_S, BASE_S * 2 ** min(num_failures, MAX_DOUBLINGS))
                wait_s = max(ended.retry_after_s, self._tuning.jitter() * ceiling)
                self._handler.disconnected(drop, wait_s)
                await self._wait(wait_s)
        drop = judge(_STOPPED)
        self._handler.disconnected(drop, None)
        return LinkStopped(drop.code, drop.text)

    async def _wait(self, wait_s: float) -> None:
        if self._stopping.is_set():
            return
        self._pause = asyncio.create_task(self._tuning.sleep(wait_s))
        try:
            await asyncio.wait({self._pause})
        finally:
            self._pause.cancel()
            self._pause = None

    async def _try_addresses(self, http: aiohttp.ClientSession) -> SessionEnded:
        """Run a session at the first address that lets us; return how it, or the worst try, ended.

        That another coordinator lives at one address (4003) matters only if ours is at no other.
        """
        worst: SessionEnded | None = None
        for address in tuple(self._addresses):
            ended = await self._try(http, address)
            if self._welcomed:
                self._addresses.remove(address)
                self._addresses.insert(0, address)
            if self._welcomed or self._stopping.is_set() or _is_verdict(ended):
                return ended
            if worst is None or (ended.authentic and not worst.authentic):
                worst = ended
        return worst or SessionEnded(int(CloseCode.BYE), "there is no address to dial", False)

    async def _try(self, http: aiohttp.ClientSession, address: str) -> SessionEnded:
        self._welcomed = False
        try:
            websocket = await dial(http, address, heartbeat_s=self._tuning.heartbeat_s)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return not_reached(address, error)
        if self._stopping.is_set():  # while we dialled
            await websocket.close()
            return _STOPPED
        session = NodeSession(
            session_start(self._identity, websocket, versions=self._tuning.versions),
            hello=self._hello,
            coordinator_id=self._coordinator_id,
            last_seq=self.last_rotation,
        )
        live = LiveSession(session, websocket, abort=partial(shut, websocket))
        self._live, self._websocket = live, websocket
        self._hold()
        self.meter.follow(live.tally)
        loop = asyncio.get_running_loop()
        patience = loop.call_later(WELCOME_S, self._lose_if_not_welcomed, live)
        try:
            return await live.run(self._on_event)
        finally:
            patience.cancel()
            self._live = self._websocket = None
            await websocket.close()

    def _on_event(self, event: SessionEvent) -> None:
        if isinstance(event, Welcomed):
            self._welcomed = True
            self.meter.num_welcomed += 1
            self._handler.connected(event.welcome)
        elif isinstance(event, ServerIdentified):
            self.coordinator = event.identity
            self.server_hello = event.hello
            self._follow(event)
        else:
            self._handler.event(event)

    def _follow(self, event: ServerIdentified) -> None:
        """The pinned coordinator handed over to a new key, checked: it is the pinned one now."""
        if event.successions:
            self.successions += event.successions
            self._coordinator_id = event.identity.id
            self.last_rotation = event.successions[-1].seq

    def _lose_if_not_welcomed(self, live: LiveSession[NodeSession]) -> None:
        if not self._welcomed:
            live.lose(f"the coordinator did not answer within {WELCOME_S:.0f} s")


class _Counted:
    """A source that says how much was read from it: that much leaves."""

    def __init__(self, source: Source, took: Callable[[int], None]) -> None:
        self._source = source
        self._took = took

    @property
    def num_bytes(self) -> int:
        return self._source.num_bytes

    def read(self, offset: int, size: int) -> bytes | memoryview:
        data = self._source.read(offset, size)
        self._took(size)
        return data


_STOPPED = SessionEnded(int(CloseCode.BYE), "the node stops", authentic=False)
_CODES = {int(code): code for code in CloseCode}
_STOPS = {Retry.ASK, Retry.REPORT, Retry.NEVER}


def judge(ended: SessionEnded) -> Drop:
    """Return what to do about a session that ended so."""
    # A number that only a newer coordinator knows decides nothing.
    code = _CODES.get(ended.code, CloseCode.BYE)
    if ended.authentic:
        retry = code.retry
    else:
        retry = Retry.SILENTLY if code is CloseCode.BYE else Retry.WITH_BANNER
    return Drop(code=int(code), text=ended.text or code.sentence, retry=retry)


def _is_verdict(ended: SessionEnded) -> bool:
    return ended.authentic and ended.code != CloseCode.IDENTITY_MISMATCH
