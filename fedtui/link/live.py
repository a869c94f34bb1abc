"""A session on a websocket: one reader task, one writer task, and the calls that others may make.

The session (fedtui/wire) decides everything; this file only moves frames. Reader and writer share
one TaskGroup and end each other: a writer blocked in a dead connection is freed when the reader
notices. Callbacks run on the event loop, in the reader: they must return at once, or websocket
pings go unanswered. Hand work on to a task or queue of your own.

All calls may be made at any time, also after the session is over: then they return False and do
nothing. So a driver that finished writing a spool file late need not ask first.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from aiohttp import WSMessage, WSMsgType

from fedtui.errors import CloseCode
from fedtui.wire.bulk import Sink, Source
from fedtui.wire.events import MessageReceived, SessionEnded, SessionEvent
from fedtui.wire.messages import Echo, EchoReply, Enrolled, FromCoordinator, FromNode, Open
from fedtui.wire.session import Session
from fedtui.wire.tally import Tally

ECHO_EVERY_S = 20.0
ECHO_LOST_S = 60.0
"""An echo unanswered for so long means a dead session, even if websocket pings are answered."""

CLOSING_S = 2.0  # what the other side gets to read our ERROR and to answer our close
YIELD_EVERY = 16  # records sent in a row before other sessions get their turn


S = TypeVar("S", bound=Session)


class WebSocket(Protocol):
    """What both websocket classes of aiohttp have in common."""

    async def send_bytes(self, data: bytes) -> None: ...

    async def receive(self) -> WSMessage: ...

    async def close(self, *, code: int, message: bytes) -> bool: ...


class LiveSession(Generic[S]):
    """One session that runs: `await run(on_event)` until it ends, and call the rest meanwhile."""

    def __init__(self, session: S, websocket: WebSocket, *, abort: Callable[[], None]) -> None:
        """Take a fresh session; `abort` drops the connection without waiting for anything."""
        self.session = session
        self.round_trip_s: float | None = None
        self._websocket = websocket
        self._abort = abort
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._echoed_at: float | None = None
        self._writer: asyncio.Task[None] | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def tally(self) -> Tally:
        """Bytes and frames of this session, both ways."""
        return self.session.tally

    @property
    def ended(self) -> SessionEnded | None:
        """Why the session is over; None while it lives."""
        return self.session.ended

    # ---- what a driver may say ----------------------------------------------------------------

    def send(self, message: FromNode | FromCoordinator | Enrolled) -> bool:
        """Queue a control message; False if the session is over or not ready for it."""
        if not self.session.can_send(message):
            return False
        self.session.send(message)
        self.wake()
        return True

    def open_stream(self, opening: Open, source: Source) -> int | None:
        """Offer a stream; return its number, or None if the session is over.

        `opening.stream` is replaced by that number; `opening.num_bytes` must be the source's size.
        """
        if self.ended is not None:
            return None
        stream = self.session.open_stream(opening, source)
        self.wake()
        return stream

    def accept(self, stream: int, sink: Sink, *, offset: int = 0) -> bool:
        """Let their stream flow into `sink` from `offset` on; False if it is gone."""
        return self._woken(self.ended is None and self.session.accept(stream, sink, offset=offset))

    def refuse(self, stream: int, code: CloseCode, *, text: str) -> bool:
        """Refuse their stream, or stop it while it flows; False if it is gone."""
        return self._woken(self.ended is None and self.session.refuse(stream, code, text=text))

    def receipt(self, stream: int, digest: bytes) -> bool:
        """Confirm that their stream is verified and durable here; False if it is gone."""
        return self._woken(self.ended is None and self.session.receipt(stream, digest))

    def cancel_stream(self, stream: int) -> bool:
        """Give up a stream that we opened; False if it is gone."""
        return self._woken(self.ended is None and self.session.cancel_stream(stream))

    def hold_data(self, held: bool) -> None:
        """While held, our streams wait; control messages go on as ever."""
        self.session.holds_data = held
        self.wake()

    def close(
        self, code: CloseCode, text: str, *, retryable: bool = False, retry_after_s: float = 0.0
    ) -> None:
        """Tell the other side why (encrypted, if the handshake got that far) and end."""
        self.session.close(code, text, retryable=retryable, retry_after_s=retry_after_s)
        self.wake()

    def lose(self, text: str) -> None:
        """Treat the connection as broken: nothing more is sent."""
        self.session.lost(text)
        self._abort()
        self.wake()

    def wake(self) -> None:
        """Let the writer look again: something may be there to send."""
        self._wake.set()
        if self.ended is not None and self._writer is not None and "grace" not in self._timers:
            self._timers["grace"] = self._loop.call_later(CLOSING_S, self._writer.cancel)

    def _woken(self, done: bool) -> bool:
        if done:
            self.wake()
        return done

    # ---- moving frames ------------------------------------------------------------------------

    async def run(self, on_event: Callable[[SessionEvent], None]) -> SessionEnded:
        """Move frames until the session is over; hand every event but the last to `on_event`.

        Whatever `on_event` raises ends the connection and is raised here, in an ExceptionGroup.
        """
        self._timers["age"] = self._loop.call_at(self.session.deadline, self._expire)
        self._timers["echo"] = self._loop.call_later(ECHO_EVERY_S, self._echo)
        try:
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(self._read(on_event))
                self._writer = group.create_task(self._write(on_event))
                self._writer.add_done_callback(lambda _: reader.cancel())
            await self._shut()
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._abort()
        return self.session.lost("the connection broke")

    async def _read(self, on_event: Callable[[SessionEvent], None]) -> None:
        while self.ended is None:
            message = await self._websocket.receive()
            if message.type is WSMsgType.BINARY:
                self.session.take_frame(message.data)
            elif message.type is WSMsgType.TEXT:
                self.session.violation("a text frame came; only binary frames are allowed")
            else:
                self.session.lost(_reason(message))
                if self._writer is not None:
                    self._writer.cancel()
            self._deliver(on_event)
            self.wake()

    async def _write(self, on_event: Callable[[SessionEvent], None]) -> None:
        num_sent = 0
        while True:
            self._wake.clear()
            frame = self.session.next_frame()
            if self.session.has_events:
                self._deliver(on_event)
            if frame is None:
                if self.ended is not None:
                    return
                await self._wake.wait()
                continue
            try:
                await self._websocket.send_bytes(frame)
            except ConnectionError:
                self.session.lost("the connection broke while sending")
                return
            num_sent += 1
            if num_sent % YIELD_EVERY == 0:
                await asyncio.sleep(0)

    def _deliver(self, on_event: Callable[[SessionEvent], None]) -> None:
        for event in self.session.take_events():
            if isinstance(event, MessageReceived) and isinstance(event.message, EchoReply):
                self._measure(event.message)
            elif not isinstance(event, SessionEnded):
                on_event(event)

    async def _shut(self) -> None:
        ended = self.session.lost("the connection broke")
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._websocket.close(code=int(ended.code), message=b"")
        except (TimeoutError, ConnectionError):
            self._abort()

    # ---- time ---------------------------------------------------------------------------------

    def _expire(self) -> None:
        self.session.tick(self._loop.time())
        self.wake()

    def _echo(self) -> None:
        """Ask for an echo now and again: the round trip of a record behind all that is queued."""
        self._timers["echo"] = self._loop.call_later(ECHO_EVERY_S, self._echo)
        now = self._loop.time()
        if self._echoed_at is not None and now - self._echoed_at >= ECHO_LOST_S:
            self.lose(f"no answer to an echo within {ECHO_LOST_S:.0f} s")
            return
        message = Echo(nonce=int(now * 1e6) % 2**53)
        if self._echoed_at is None and self.session.can_send(message):
            self._echoed_at = now
            self.session.send(message)
            self.wake()

    def _measure(self, reply: EchoReply) -> None:
        del reply  # one Echo is under way at a time, on an authenticated, ordered channel
        if self._echoed_at is not None:
            self.round_trip_s = self._loop.time() - self._echoed_at
            self._echoed_at = None


def _reason(message: WSMessage) -> str:
    if message.type is WSMsgType.ERROR:
        return f"the connection broke: {message.data}"
    if message.type is WSMsgType.CLOSE:
        return f"the other side closed the connection ({message.data}) without giving a reason"
    return "the other side closed the connection"
