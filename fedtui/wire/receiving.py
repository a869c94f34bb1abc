"""The streams of a session that the other side opened: accept, take bytes, give credit, confirm.

See bulk.py for the rules. Sizes are exact: not one byte beyond what was announced, credited and
contiguous is taken (4006), and what does not parse or fit its stream ends the session (4005).
Calls of ours about a stream that is over return False: it may have ended while we were busy.
"""

from dataclasses import dataclass
from enum import Enum

from fedtui.errors import CloseCode, LocalProtocolError, RemoteProtocolError
from fedtui.wire.bulk import CREDIT_BODY, DATA_HEADER, MAX_STREAMS, Say, Sink, Tell, shorten
from fedtui.wire.events import StreamCancelled, StreamComplete, StreamFailed, StreamOpened
from fedtui.wire.messages import Accept, Cancel, Open, Receipt, Refuse


class Phase(Enum):
    """Where one of their streams stands."""

    OFFERED = "we have not answered yet"
    FLOWING = "bytes go to the sink"
    COMPLETE = "all bytes are in the sink; we verify and sync"
    STOPPING = "refused in mid-flow: what is under way is dropped until they say Cancel"


@dataclass(slots=True)
class _Incoming:
    opening: Open
    phase: Phase = Phase.OFFERED
    sink: Sink | None = None
    offset: int = 0
    limit: int = 0


class IncomingStreams:
    """All streams that the other side opened."""

    def __init__(self, *, window: int, say: Say, tell: Tell) -> None:
        """Grant `window` bytes per stream; `say` queues a message, `tell` reports an event."""
        self._window = window
        self._say = say
        self._tell = tell
        self._latest = -1
        self._streams: dict[int, _Incoming] = {}
        self._thirsty: dict[int, None] = {}

    # ---- what we decide -----------------------------------------------------------------------

    def accept(self, number: int, sink: Sink, *, offset: int = 0) -> bool:
        """Let a stream flow into `sink` from `offset` on; False if it is over.

        Raises:
            LocalProtocolError: it was accepted already, or `offset` is beyond its end.
        """
        stream = self._streams.get(number)
        if stream is None:
            return False
        if stream.phase is not Phase.OFFERED:
            raise LocalProtocolError(f"stream {number} was answered already")
        if not 0 <= offset <= stream.opening.num_bytes:
            raise LocalProtocolError(f"stream {number} has no byte {offset}")
        stream.sink = sink
        stream.offset = offset
        stream.limit = offset + self._window
        stream.phase = Phase.FLOWING
        self._say(Accept(stream=number, offset=offset, window=self._window))
        self._finish_if_complete(number, stream)
        return True

    def refuse(self, number: int, code: CloseCode, *, text: str) -> bool:
        """Refuse a stream, or stop it while it flows; False if it is over."""
        stream = self._streams.get(number)
        if stream is None or stream.phase is Phase.STOPPING:
            return False
        self._say(Refuse(stream=number, code=int(code), text=shorten(text)))
        if stream.phase is Phase.OFFERED:
            del self._streams[number]
        else:
            stream.phase = Phase.STOPPING
            stream.sink = None
        self._thirsty.pop(number, None)
        return True

    def receipt(self, number: int, digest: bytes) -> bool:
        """Confirm a complete stream: verified, durable; False if it is over.

        Raises:
            LocalProtocolError: it is not complete, or has another digest.
        """
        stream = self._streams.get(number)
        if stream is None or stream.phase is Phase.STOPPING:
            return False
        if stream.phase is not Phase.COMPLETE or digest != stream.opening.digest:
            raise LocalProtocolError(f"stream {number} is not complete, or has another digest")
        del self._streams[number]
        self._say(Receipt(stream=number, digest=digest))
        return True

    def next_credit(self) -> bytes | None:
        """Return the body of the next CREDIT record, if a stream has used half of its window."""
        while self._thirsty:
            number, _ = self._thirsty.popitem()
            stream = self._streams[number]
            add = stream.offset + self._window - stream.limit
            stream.limit += add
            return CREDIT_BODY.pack(number, stream.offset, add)
        return None

    # ---- what they say ------------------------------------------------------------------------

    def opened(self, message: Open) -> None:
        """Take note of an offer."""
        if message.stream <= self._latest:
            raise RemoteProtocolError("a stream's number was used already")
        if len(self._streams) >= MAX_STREAMS:
            raise RemoteProtocolError(
                f"more than {MAX_STREAMS} streams at once", code=CloseCode.LIMIT
            )
        self._latest = message.stream
        self._streams[message.stream] = _Incoming(message)
        self._tell(StreamOpened(message))

    def data(self, body: bytes) -> int:
        """Write a DATA record's bytes into its sink; return how many there were."""
        if len(body) <= DATA_HEADER.size:
            raise RemoteProtocolError("a DATA record carries nothing")
        number, offset = DATA_HEADER.unpack_from(body)
        stream = self._streams.get(number)
        if stream is None or stream.phase not in {Phase.FLOWING, Phase.STOPPING}:
            raise RemoteProtocolError("a DATA record belongs to no stream that flows")
        size = len(body) - DATA_HEADER.size
        end = offset + size
        if offset != stream.offset:
            raise RemoteProtocolError(f"stream {number} skips from {stream.offset} to {offset}")
        if end > stream.opening.num_bytes:
            raise RemoteProtocolError(
                f"stream {number} has more than its {stream.opening.num_bytes} bytes",
                code=CloseCode.LIMIT,
            )
        if end > stream.limit:
            raise RemoteProtocolError(f"stream {number} passes its credit", code=CloseCode.LIMIT)
        stream.offset = end
        if stream.sink is not None:
            self._write(number, stream, stream.sink, memoryview(body)[DATA_HEADER.size :])
        return size

    def cancelled(self, message: Cancel) -> None:
        """Forget a stream that they gave up."""
        if message.stream > self._latest:
            raise RemoteProtocolError(f"there never was a stream {message.stream}")
        self._thirsty.pop(message.stream, None)
        stream = self._streams.pop(message.stream, None)
        if stream is not None and stream.phase is not Phase.STOPPING:
            self._tell(StreamCancelled(message.stream))

    def _write(self, number: int, stream: _Incoming, sink: Sink, data: memoryview) -> None:
        try:
            sink.write(data)
        except OSError as error:
            self.refuse(number, CloseCode.LIMIT, text="the receiver could not store the stream")
            self._tell(StreamFailed(number, outgoing=False, reason=str(error)))
            return
        missing = stream.opening.num_bytes - stream.limit
        if missing > 0 and 2 * (stream.limit - stream.offset) <= self._window:
            self._thirsty[number] = None
        self._finish_if_complete(number, stream)

    def _finish_if_complete(self, number: int, stream: _Incoming) -> None:
        if stream.offset == stream.opening.num_bytes:
            stream.phase = Phase.COMPLETE
            stream.sink = None
            self._thirsty.pop(number, None)
            self._tell(StreamComplete(number))
