"""One session on one connection, without its socket: what both halves have in common.

A session takes frames and gives frames. `receive(frame)` checks, decrypts and dispatches one
binary websocket message; `next_frame()` gives the next one to send, and None if there is nothing
to say now. Records are sealed only when they are asked for: control messages, credit and errors
before any bulk data, so that a round's messages never wait behind a model.

The two halves are in halves.py. Each decodes only what may come from the other side, so a message
in the wrong direction is as unreadable as noise. Whatever the other side gets wrong ends the
session with the right code, said in an encrypted ERROR record once the handshake is through; what
we get wrong raises LocalProtocolError and changes nothing.
"""

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from types import UnionType
from typing import ClassVar, NamedTuple, cast

import msgspec

from fedtui.crypto.keys import Identity
from fedtui.crypto.noise import TAG_BYTES
from fedtui.errors import ChannelError, CloseCode, LocalProtocolError, RemoteProtocolError
from fedtui.wire import codec
from fedtui.wire.bulk import MAX_TEXT_CHARACTERS, WINDOW_BYTES, Sink, Source, shorten
from fedtui.wire.channel import (
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    Channel,
    Record,
    RecordType,
)
from fedtui.wire.events import (
    ErrorReported,
    MessageReceived,
    SessionEnded,
    SessionEvent,
)
from fedtui.wire.labels import safe_label
from fedtui.wire.messages import (
    PROTOCOL_MAX,
    PROTOCOL_MIN,
    Accept,
    Cancel,
    Control,
    Echo,
    EchoReply,
    Enrolled,
    ErrorReport,
    FromCoordinator,
    FromNode,
    Open,
    Receipt,
    Refuse,
)
from fedtui.wire.parts import LAST, MAX_FROM_COORDINATOR_BYTES, Joining, split
from fedtui.wire.receiving import IncomingStreams
from fedtui.wire.sending import OutgoingStreams
from fedtui.wire.tally import Tally

MIN_FRAME_BYTES = HEADER_BYTES + TAG_BYTES
MAX_AGE_S = 24 * 3600.0
MAX_QUEUED = 1024
"""Control messages that may wait for a slow reader; more end the session (4006)."""

_PROVEN_EARLY = {CloseCode.IDENTITY_MISMATCH, CloseCode.VERSION}
"""Verdicts that rest on an authenticated hello, although the handshake is not through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStart:
    """What both halves need to begin.

    `ephemeral_secret` is 32 fresh random bytes, `prologue` comes from channel.prologue, `now` is
    any clock's reading in seconds, `versions` the least and the greatest that we speak.
    """

    identity: Identity
    ephemeral_secret: bytes = field(repr=False)
    prologue: bytes
    now: float
    versions: tuple[int, int] = (PROTOCOL_MIN, PROTOCOL_MAX)
    window: int = WINDOW_BYTES


class Queued(NamedTuple):
    """A record that waits to be sealed."""

    kind: RecordType
    body: bytes
    flags: int = 0


class Session(ABC):
    """What the two halves share; use NodeSession or CoordinatorSession."""

    _hears: ClassVar[UnionType]
    _longest: ClassVar[int]  # bytes of a message that may come

    def __init__(self, channel: Channel, start: SessionStart) -> None:
        """Take a channel before its first message."""
        self.tally = Tally()
        self.ended: SessionEnded | None = None
        self.deadline = start.now + MAX_AGE_S
        self.holds_data = False  # while set, streams of ours wait; messages do not
        self._channel = channel
        self._handshakes: deque[bytes] = deque()
        self._queue: deque[Queued] = deque()
        self._joining = Joining(self._longest)
        self._error: ErrorReport | None = None
        self._events: list[SessionEvent] = []
        self._incoming = IncomingStreams(window=start.window, say=self._say, tell=self._tell)
        self._outgoing: OutgoingStreams | None = None

    # ---- frames -------------------------------------------------------------------------------

    def receive(self, frame: bytes) -> list[SessionEvent]:
        """Take one binary message; return all events since they were taken last.

        Never raises for what the other side did: that ends the session (see `ended`).
        """
        self.take_frame(frame)
        return self.take_events()

    def take_frame(self, frame: bytes) -> None:
        """Like `receive`, for a driver that asks for the events itself."""
        if self.ended is not None:
            return
        if not self._channel.established:
            self.tally.received.num_frames += 1
            self.tally.received.num_handshake += len(frame)
        elif not MIN_FRAME_BYTES <= len(frame) <= MAX_FRAME_BYTES:
            self.violation(f"no record has {len(frame)} bytes")
            return
        established = self._channel.established
        try:
            if established:
                self._take_record(frame)
            else:
                self._take_handshake(frame)
        except ChannelError as error:
            if established or error.code in _PROVEN_EARLY:
                self.close(error.code, str(error))
            else:
                self._end_unproven(error.code, str(error))

    @property
    def has_events(self) -> bool:
        """Whether `take_events` would return any."""
        return bool(self._events)

    def take_events(self) -> list[SessionEvent]:
        """Return and forget the events that wait. `next_frame` may make some too."""
        events, self._events = self._events, []
        return events

    def next_frame(self) -> bytes | None:
        """Return the next binary message to send; None if there is none now.

        After the end there are still the messages queued before it, and the ERROR that says why.
        """
        if self._handshakes:
            return self._count_handshake(self._handshakes.popleft())
        if not self._channel.established:
            return None
        try:
            return self._next_record()
        except ChannelError as error:
            self.lost(str(error))
            return None

    # ---- what a driver may say ----------------------------------------------------------------

    @abstractmethod
    def can_send(self, message: Control) -> bool:
        """Tell whether the session is alive and far enough for this message."""

    @property
    @abstractmethod
    def ready_for_work(self) -> bool:
        """Whether the node has consented to the plan."""

    def send(self, message: FromNode | FromCoordinator | Enrolled | Echo) -> None:
        """Queue a control message.

        Raises:
            LocalProtocolError: the session is over, or not far enough.
        """
        if not self.can_send(message):
            raise LocalProtocolError(f"{type(message).__name__} cannot be sent now")
        self._say(message)

    def open_stream(self, opening: Open, source: Source) -> int:
        """Offer a stream; return its number, which replaces `opening.stream`.

        Raises:
            LocalProtocolError: the session is over or not far enough, too many streams are under
                way, or `opening.num_bytes` is not the source's size.
        """
        if self._outgoing is None or not self.can_send(opening):
            raise LocalProtocolError("no stream can be opened now")
        return self._outgoing.open(opening, source)

    def accept(self, stream: int, sink: Sink, *, offset: int = 0) -> bool:
        """Let their stream flow into `sink` from `offset` on; False if it is over."""
        return self._incoming.accept(stream, sink, offset=offset)

    def refuse(self, stream: int, code: CloseCode, *, text: str) -> bool:
        """Refuse their stream, or stop it while it flows; False if it is over."""
        return self._incoming.refuse(stream, code, text=text)

    def receipt(self, stream: int, digest: bytes) -> bool:
        """Confirm that their stream is verified and durable; False if it is over."""
        return self._incoming.receipt(stream, digest)

    def cancel_stream(self, stream: int) -> bool:
        """Give up a stream that we opened; False if it is over."""
        return self._outgoing is not None and self._outgoing.cancel(stream)

    # ---- the end ------------------------------------------------------------------------------

    def close(
        self, code: CloseCode, text: str, *, retryable: bool = False, retry_after_s: float = 0.0
    ) -> None:
        """End the session for a reason that the other side is told, encrypted if possible."""
        if self.ended is not None:
            return
        text = shorten(text)
        self._end(SessionEnded(int(code), text, retry_after_s=retry_after_s))
        if self._channel.established:
            self._error = ErrorReport(
                code=int(code), text=text, retryable=retryable, retry_after_s=retry_after_s
            )

    def lost(self, text: str) -> SessionEnded:
        """The connection is gone: end the session if it is not over yet, and say how it ended."""
        if self.ended is None:
            self._end(SessionEnded(int(CloseCode.BYE), text, authentic=False))
            self._handshakes.clear()
            self._queue.clear()
        return self.ended or SessionEnded(int(CloseCode.BYE), text, authentic=False)

    def violation(self, text: str) -> None:
        """A rule was broken below the encryption, such as by a text frame: anybody can do that.

        So nothing is said in an ERROR record either: the other side may not have done it.
        """
        self._end_unproven(CloseCode.PROTOCOL, text)

    def tick(self, now: float) -> None:
        """End a session that is too old (`deadline`)."""
        if now >= self.deadline:
            self.close(CloseCode.BYE, "the session is a day old; connect anew", retryable=True)

    def _end_unproven(self, code: CloseCode, text: str) -> None:
        if self.ended is None:
            self._end(SessionEnded(int(code), shorten(text), authentic=False))
            self._queue.clear()

    def _end(self, ended: SessionEnded) -> None:
        self.ended = ended
        self._tell(ended)

    # ---- records ------------------------------------------------------------------------------

    @abstractmethod
    def _take_handshake(self, frame: bytes) -> None:
        """Take a message of the handshake."""

    @abstractmethod
    def _check_turn(self, message: Control) -> None:
        """Raise RemoteProtocolError if this message may not come now."""

    @abstractmethod
    def _heard(self, message: Control) -> None:
        """Take a message that is neither of a stream nor an echo."""

    def _established(self) -> None:
        """Start numbering streams; another number in every session (see bulk.py)."""
        first = int.from_bytes(self._channel.session_id[:2], "little") % 2**15 << 16
        self._outgoing = OutgoingStreams(first=first, say=self._say, tell=self._tell)

    def _take_record(self, frame: bytes) -> None:
        record = self._channel.open(frame)
        received = self.tally.received
        received.num_frames += 1
        if record.flags != 0 and (record.kind, record.flags) != (RecordType.PART, LAST):
            raise RemoteProtocolError("a record has flags that mean nothing")
        if record.kind is RecordType.DATA:
            received.num_data += len(frame)
            received.num_payload += self._incoming.data(record.body)
        elif record.kind is RecordType.CTRL:
            received.num_ctrl += len(frame)
            self._take_message(record.body)
        elif record.kind is RecordType.PART:
            received.num_ctrl += len(frame)
            data = self._joining.take(record.body, record.flags)
            if data is not None:
                self._take_message(data)
        elif record.kind is RecordType.CREDIT:
            received.num_credit += len(frame)
            self._streams().credited(record.body)
        else:
            received.num_error += len(frame)
            self._take_error(record)

    def _take_message(self, data: bytes) -> None:
        message = cast("Control", codec.decode(data, self._hears, max_bytes=self._longest))
        self._check_turn(message)
        match message:
            case Echo():
                self._say(EchoReply(nonce=message.nonce))
            case EchoReply():
                self._tell(MessageReceived(message))
            case Open():
                self._incoming.opened(message)
            case Cancel():
                self._incoming.cancelled(message)
            case Accept():
                self._streams().accepted(message)
            case Refuse():
                self._streams().refused(message)
            case Receipt():
                self._streams().confirmed(message)
            case _:
                self._heard(message)

    def _take_error(self, record: Record) -> None:
        report = codec.decode(record.body, ErrorReport)
        text = safe_label(report.text, MAX_TEXT_CHARACTERS)
        self._tell(ErrorReported(msgspec.structs.replace(report, text=text)))
        self._end(SessionEnded(report.code, text, retry_after_s=report.retry_after_s))

    def _next_record(self) -> bytes | None:
        sent = self.tally.sent
        if self._queue:
            queued = self._queue.popleft()
            frame = self._channel.seal(queued.kind, queued.body, queued.flags)
            sent.num_ctrl += len(frame)
        elif self._error is not None:
            frame = self._channel.seal(RecordType.ERROR, codec.encode(self._error))
            self._error = None
            sent.num_error += len(frame)
        elif self.ended is not None:
            return None
        elif (credit := self._incoming.next_credit()) is not None:
            frame = self._channel.seal(RecordType.CREDIT, credit)
            sent.num_credit += len(frame)
        elif not self.holds_data and (chunk := self._streams().next_data()) is not None:
            frame = self._channel.seal_parts(RecordType.DATA, *chunk)
            sent.num_data += len(frame)
            sent.num_payload += len(chunk[1])
        else:
            return None
        sent.num_frames += 1
        return frame

    def _count_handshake(self, frame: bytes) -> bytes:
        self.tally.sent.num_frames += 1
        self.tally.sent.num_handshake += len(frame)
        return frame

    def _streams(self) -> OutgoingStreams:
        if self._outgoing is None:
            raise LocalProtocolError("the handshake is not through")
        return self._outgoing

    def _say(self, message: Control) -> None:
        if len(self._queue) >= MAX_QUEUED:
            self.close(CloseCode.LIMIT, "the other side does not read what it is told")
            self._queue.clear()
            return
        data = codec.encode(message, max_bytes=MAX_FROM_COORDINATOR_BYTES)
        if len(data) <= codec.MAX_CONTROL_BYTES:
            self._queue.append(Queued(RecordType.CTRL, data))
            return
        pieces = split(data)
        self._queue.extend(Queued(RecordType.PART, piece) for piece in pieces[:-1])
        self._queue.append(Queued(RecordType.PART, pieces[-1], LAST))

    def _tell(self, event: SessionEvent) -> None:
        self._events.append(event)
