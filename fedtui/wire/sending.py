"""The streams of a session that we opened: offer, wait for credit, send, wait for the receipt.

See bulk.py for the rules. What the other side says about a stream that is over is ignored.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum

import msgspec

from fedtui.errors import LocalProtocolError, RemoteProtocolError
from fedtui.wire.bulk import (
    CREDIT_BODY,
    DATA_HEADER,
    MAX_DATA_BYTES,
    MAX_STREAMS,
    MAX_TEXT_CHARACTERS,
    MAX_WINDOW_BYTES,
    Say,
    Source,
    Tell,
)
from fedtui.wire.events import StreamAccepted, StreamFailed, StreamReceipt, StreamRefused
from fedtui.wire.labels import safe_label
from fedtui.wire.messages import Accept, Cancel, Open, Receipt, Refuse


class Phase(Enum):
    """Where one of our streams stands."""

    OFFERED = "the other side has not answered yet"
    FLOWING = "bytes go as credit allows"
    WAITING = "all bytes are sent; the receipt is awaited"


@dataclass(slots=True)
class _Outgoing:
    opening: Open
    source: Source
    phase: Phase = Phase.OFFERED
    offset: int = 0
    limit: int = 0
    acknowledged: int = 0

    @property
    def next_size(self) -> int:
        """Size of the next record, or 0 if it does not fit into the credit yet."""
        size = min(MAX_DATA_BYTES, self.opening.num_bytes - self.offset)
        return size if self.offset + size <= self.limit else 0


class OutgoingStreams:
    """All streams that this side opened."""

    def __init__(self, *, first: int, say: Say, tell: Tell) -> None:
        """Number streams from `first` on; `say` queues a message, `tell` reports an event."""
        self._next = first
        self._first = first
        self._say = say
        self._tell = tell
        self._streams: dict[int, _Outgoing] = {}
        self._turns: deque[int] = deque()

    def open(self, opening: Open, source: Source) -> int:
        """Offer a stream and return its number.

        Raises:
            LocalProtocolError: the sizes differ, or MAX_STREAMS are under way.
        """
        if opening.num_bytes != source.num_bytes:
            raise LocalProtocolError(
                f"a stream of {opening.num_bytes} bytes cannot come from {source.num_bytes}"
            )
        if len(self._streams) >= MAX_STREAMS:
            raise LocalProtocolError(f"{MAX_STREAMS} streams are under way already")
        number = self._next
        self._next += 1
        opening = msgspec.structs.replace(opening, stream=number)
        self._streams[number] = _Outgoing(opening, source)
        self._say(opening)
        return number

    def cancel(self, number: int) -> bool:
        """Give a stream up; False if it is over."""
        if not self._forget(number):
            return False
        self._say(Cancel(stream=number))
        return True

    def next_data(self) -> tuple[bytes, bytes | memoryview] | None:
        """Return header and bytes of the next DATA record, of the stream whose turn it is."""
        for _ in range(len(self._turns)):
            number = self._turns[0]
            self._turns.rotate(-1)
            stream = self._streams[number]
            size = stream.next_size
            if size == 0:
                continue
            try:
                data = stream.source.read(stream.offset, size)
                if len(data) != size:
                    raise OSError(f"the file ends at byte {stream.offset + len(data)}")  # noqa: TRY301 - handled as what read raises
            except OSError as error:
                self.cancel(number)
                self._tell(StreamFailed(number, outgoing=True, reason=str(error)))
                return self.next_data()
            header = DATA_HEADER.pack(number, stream.offset)
            self._advance(number, stream, size)
            return header, data
        return None

    def accepted(self, message: Accept) -> None:
        """Let a stream flow from where the other side wants it."""
        stream = self._find(message.stream)
        if stream is None:
            return
        if stream.phase is not Phase.OFFERED:
            raise RemoteProtocolError("a stream was accepted twice")
        if message.offset > stream.opening.num_bytes:
            raise RemoteProtocolError("a stream was accepted beyond its end")
        stream.offset = stream.acknowledged = message.offset
        stream.limit = message.offset + message.window
        stream.phase = Phase.FLOWING
        self._turns.append(message.stream)
        self._tell(StreamAccepted(message.stream, message.offset))
        self._advance(message.stream, stream, 0)

    def credited(self, body: bytes) -> None:
        """Take more credit for a stream."""
        if len(body) != CREDIT_BODY.size:
            raise RemoteProtocolError("a CREDIT record has the wrong size")
        number, offset, add = CREDIT_BODY.unpack(body)
        stream = self._find(number)
        if stream is None:
            return
        if (
            stream.phase is Phase.OFFERED
            or not stream.acknowledged <= offset <= stream.offset
            or stream.limit + add - offset > MAX_WINDOW_BYTES
        ):
            raise RemoteProtocolError("a CREDIT record does not fit its stream")
        stream.acknowledged = offset
        stream.limit += add

    def refused(self, message: Refuse) -> None:
        """Forget a stream that is not wanted; if it flowed, say that no more comes."""
        stream = self._find(message.stream)
        if stream is None:
            return
        if stream.phase is not Phase.OFFERED:
            self._say(Cancel(stream=message.stream))
        self._forget(message.stream)
        self._tell(
            StreamRefused(
                message.stream, message.code, safe_label(message.text, MAX_TEXT_CHARACTERS)
            )
        )

    def confirmed(self, message: Receipt) -> None:
        """Finish a stream: it is verified and durable over there."""
        stream = self._find(message.stream)
        if stream is None:
            return
        if stream.phase is not Phase.WAITING:
            raise RemoteProtocolError("a receipt came before the whole stream was sent")
        if message.digest != stream.opening.digest:
            raise RemoteProtocolError("a receipt names another digest than its stream")
        self._forget(message.stream)
        self._tell(StreamReceipt(message.stream, message.digest))

    def _advance(self, number: int, stream: _Outgoing, size: int) -> None:
        stream.offset += size
        if stream.offset == stream.opening.num_bytes:
            stream.phase = Phase.WAITING
            self._turns.remove(number)

    def _find(self, number: int) -> _Outgoing | None:
        if not self._first <= number < self._next:
            raise RemoteProtocolError(f"there never was a stream {number}")
        return self._streams.get(number)

    def _forget(self, number: int) -> bool:
        if number in self._turns:
            self._turns.remove(number)
        return self._streams.pop(number, None) is not None
