"""Streams between the two ends of a session, without the session: every rule of bulk.py."""

from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedtui.errors import CloseCode, LocalProtocolError, RemoteProtocolError
from fedtui.wire.bulk import (
    CREDIT_BODY,
    DATA_HEADER,
    MAX_DATA_BYTES,
    MAX_STREAMS,
    MIN_WINDOW_BYTES,
    shorten,
)
from fedtui.wire.codec import decode, encode
from fedtui.wire.events import (
    BulkEvent,
    StreamAccepted,
    StreamCancelled,
    StreamComplete,
    StreamFailed,
    StreamOpened,
    StreamReceipt,
    StreamRefused,
)
from fedtui.wire.messages import Accept, BulkMessage, Cancel, ErrorReport, Open, Receipt, Refuse
from fedtui.wire.receiving import IncomingStreams
from fedtui.wire.sending import OutgoingStreams

DIGEST = b"d" * 32


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.broken = False

    @property
    def num_bytes(self) -> int:
        return len(self.data)

    def read(self, offset: int, size: int) -> bytes:
        if self.broken:
            raise OSError("the disk is gone")
        return self.data[offset : offset + size]


@dataclass
class Spool:
    data: bytearray = field(default_factory=bytearray)
    full_at: int | None = None

    def write(self, data: memoryview, /) -> None:
        if self.full_at is not None and len(self.data) + len(data) > self.full_at:
            raise OSError("no space left on device")
        self.data += data


def opening(size: int, digest: bytes = DIGEST) -> Open:
    return Open(stream=0, kind="update", num_bytes=size, digest=digest)


class Pair:
    """A sender and a receiver with a queue each way; `under_way` counts unacknowledged bytes."""

    def __init__(self, window: int = MIN_WINDOW_BYTES, first: int = 7) -> None:
        self.to_receiver: deque[BulkMessage] = deque()
        self.to_sender: deque[BulkMessage] = deque()
        self.sender_events: list[BulkEvent] = []
        self.receiver_events: list[BulkEvent] = []
        self.wire: deque[bytes] = deque()
        self.window = window
        self.sender = OutgoingStreams(
            first=first, say=self.to_receiver.append, tell=self.sender_events.append
        )
        self.receiver = IncomingStreams(
            window=window, say=self.to_sender.append, tell=self.receiver_events.append
        )

    def talk(self) -> None:
        """Deliver all control messages and credit."""
        while self.to_receiver or self.to_sender:
            if self.to_receiver:
                match self.to_receiver.popleft():
                    case Open() as message:
                        self.receiver.opened(message)
                    case Cancel() as message:
                        self.receiver.cancelled(message)
            if self.to_sender:
                match self.to_sender.popleft():
                    case Accept() as message:
                        self.sender.accepted(message)
                    case Refuse() as message:
                        self.sender.refused(message)
                    case Receipt() as message:
                        self.sender.confirmed(message)
        while (credit := self.receiver.next_credit()) is not None:
            self.sender.credited(credit)

    def put_on_wire(self) -> bool:
        record = self.sender.next_data()
        if record is None:
            return False
        self.wire.append(b"".join(record))
        return True

    def take_off_wire(self) -> None:
        self.receiver.data(self.wire.popleft())

    def offer(self, size: int) -> tuple[int, Bytes]:
        source = Bytes(bytes(i * 7 % 251 for i in range(size)))
        number = self.sender.open(opening(size), source)
        self.talk()
        return number, source


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 400_000), min_size=1, max_size=4),
    window=st.integers(MIN_WINDOW_BYTES, 300_000),
    start=st.floats(0, 1),
    choices=st.lists(st.booleans(), min_size=10, max_size=200),
)
def test_any_streams_arrive_whole_and_credit_is_never_passed(
    sizes: list[int], window: int, start: float, choices: list[bool]
) -> None:
    pair = Pair(window)
    spools = {}
    for size in sizes:
        number, source = pair.offer(size)
        offset = int(size * start)
        spools[number] = (source, Spool(bytearray(source.data[:offset])))
        assert pair.receiver.accept(number, spools[number][1], offset=offset)
    pair.talk()
    turn = 0
    while not all(len(spool.data) == source.num_bytes for source, spool in spools.values()):
        if choices[turn % len(choices)] or not pair.wire:
            moved = pair.put_on_wire()
            assert moved or pair.wire, "both sides wait for each other"
        if pair.wire and not choices[turn % len(choices)]:
            pair.take_off_wire()
            pair.talk()
        by_stream: dict[int, int] = {}
        for record in pair.wire:
            number, _ = DATA_HEADER.unpack_from(record)
            by_stream[number] = by_stream.get(number, 0) + len(record) - DATA_HEADER.size
        assert all(under_way <= window for under_way in by_stream.values())
        turn += 1
        if turn % 50 == 0:
            while pair.wire:
                pair.take_off_wire()
            pair.talk()
    for number, (source, spool) in spools.items():
        assert spool.data == source.data
        assert StreamComplete(number) in pair.receiver_events
        assert pair.receiver.receipt(number, DIGEST)
        assert not pair.receiver.receipt(number, DIGEST)
    pair.talk()
    receipts = [event for event in pair.sender_events if isinstance(event, StreamReceipt)]
    assert {event.stream for event in receipts} == set(spools)


def test_records_are_full_except_the_last() -> None:
    pair = Pair(window=100_000)
    number, source = pair.offer(500_000)
    pair.receiver.accept(number, Spool())
    pair.talk()
    sizes = []
    while True:
        if pair.put_on_wire():
            sizes.append(len(pair.wire[-1]) - DATA_HEADER.size)
        elif pair.wire:
            pair.take_off_wire()
            pair.talk()
        else:
            break
    assert sum(sizes) == source.num_bytes
    assert set(sizes[:-1]) == {MAX_DATA_BYTES}


def test_streams_take_turns() -> None:
    pair = Pair(window=2**20)
    for _ in range(3):
        number, _ = pair.offer(300_000)
        pair.receiver.accept(number, Spool())
    pair.talk()
    order = []
    while pair.put_on_wire():
        order.append(DATA_HEADER.unpack_from(pair.wire[-1])[0])
    assert order[:6] == [7, 8, 9, 7, 8, 9]


def test_an_empty_stream_is_complete_when_accepted() -> None:
    pair = Pair()
    number, _ = pair.offer(0)
    pair.receiver.accept(number, Spool())
    assert pair.receiver_events[-1] == StreamComplete(number)
    pair.receiver.receipt(number, DIGEST)
    pair.talk()
    assert pair.sender_events == [StreamAccepted(number, 0), StreamReceipt(number, DIGEST)]


def flowing(size: int = 200_000) -> tuple[Pair, int]:
    pair = Pair()
    number, _ = pair.offer(size)
    pair.receiver.accept(number, Spool())
    pair.talk()
    return pair, number


@pytest.mark.parametrize(
    ("offset", "length", "code", "words"),
    [
        (1, 10, CloseCode.PROTOCOL, "skips"),
        (0, 0, CloseCode.PROTOCOL, "nothing"),
        (0, MIN_WINDOW_BYTES + 1, CloseCode.LIMIT, "credit"),
        (0, 200_001, CloseCode.LIMIT, "more than"),
        (2**64 - 1, 10, CloseCode.PROTOCOL, "skips"),
    ],
)
def test_data_that_breaks_a_rule(offset: int, length: int, code: CloseCode, words: str) -> None:
    pair, number = flowing()
    with pytest.raises(RemoteProtocolError, match=words) as caught:
        pair.receiver.data(DATA_HEADER.pack(number, offset) + bytes(length))
    assert caught.value.code is code


def test_data_for_a_stream_that_does_not_flow() -> None:
    pair = Pair()
    number, _ = pair.offer(10)
    for stream in (number, number + 1):
        with pytest.raises(RemoteProtocolError, match="no stream that flows"):
            pair.receiver.data(DATA_HEADER.pack(stream, 0) + b"x")
    with pytest.raises(RemoteProtocolError, match="nothing"):
        pair.receiver.data(b"short")


@pytest.mark.parametrize(
    ("offset", "add"),
    [(0, 2**26), (2**20, 1), (2**63, 1)],
)
def test_credit_that_does_not_fit(offset: int, add: int) -> None:
    pair, number = flowing()
    with pytest.raises(RemoteProtocolError, match="CREDIT"):
        pair.sender.credited(CREDIT_BODY.pack(number, offset, add))


def test_credit_goes_no_way_back() -> None:
    pair, number = flowing()
    pair.put_on_wire()
    pair.sender.credited(CREDIT_BODY.pack(number, 100, 1))
    with pytest.raises(RemoteProtocolError, match="CREDIT"):
        pair.sender.credited(CREDIT_BODY.pack(number, 99, 1))
    with pytest.raises(RemoteProtocolError, match="wrong size"):
        pair.sender.credited(b"123")


def test_answers_about_streams_that_never_were() -> None:
    pair = Pair(first=100)
    pair.offer(10)
    for stream in (99, 101):
        with pytest.raises(RemoteProtocolError, match="never was"):
            pair.sender.accepted(Accept(stream=stream, offset=0, window=MIN_WINDOW_BYTES))
        with pytest.raises(RemoteProtocolError, match="never was"):
            pair.sender.confirmed(Receipt(stream=stream, digest=DIGEST))
        with pytest.raises(RemoteProtocolError, match="never was"):
            pair.sender.refused(Refuse(stream=stream, code=4006, text=""))
    with pytest.raises(RemoteProtocolError, match="never was"):
        pair.receiver.cancelled(Cancel(stream=101))


def test_answers_that_come_too_early_or_twice() -> None:
    pair, number = flowing()
    with pytest.raises(RemoteProtocolError, match="twice"):
        pair.sender.accepted(Accept(stream=number, offset=0, window=MIN_WINDOW_BYTES))
    with pytest.raises(RemoteProtocolError, match="before the whole"):
        pair.sender.confirmed(Receipt(stream=number, digest=DIGEST))
    pair.sender.open(opening(5), Bytes(b"12345"))
    with pytest.raises(RemoteProtocolError, match="beyond its end"):
        pair.sender.accepted(Accept(stream=number + 1, offset=6, window=MIN_WINDOW_BYTES))


def test_a_receipt_for_another_digest() -> None:
    pair, number = flowing(size=10)
    pair.put_on_wire()
    with pytest.raises(RemoteProtocolError, match="another digest"):
        pair.sender.confirmed(Receipt(stream=number, digest=b"x" * 32))


def test_numbers_only_rise_and_streams_are_few() -> None:
    pair = Pair()
    pair.receiver.opened(opening(1))
    with pytest.raises(RemoteProtocolError, match="used already"):
        pair.receiver.opened(opening(1))
    for number in range(1, MAX_STREAMS):
        pair.receiver.opened(Open(stream=number, kind="update", num_bytes=1, digest=DIGEST))
    with pytest.raises(RemoteProtocolError, match="at once") as caught:
        pair.receiver.opened(Open(stream=99, kind="update", num_bytes=1, digest=DIGEST))
    assert caught.value.code is CloseCode.LIMIT
    for _ in range(MAX_STREAMS):
        pair.sender.open(opening(1), Bytes(b"1"))
    with pytest.raises(LocalProtocolError, match="under way"):
        pair.sender.open(opening(1), Bytes(b"1"))


def test_a_stream_refused_before_it_flows() -> None:
    pair = Pair()
    number, _ = pair.offer(10)
    assert pair.receiver.refuse(number, CloseCode.LIMIT, text="too \x1b[2Jbig")
    assert not pair.receiver.refuse(number, CloseCode.LIMIT, text="again")
    assert not pair.receiver.accept(number, Spool())
    pair.talk()
    assert pair.sender_events == [StreamRefused(number, 4006, "too [2Jbig")]
    assert not pair.put_on_wire()
    assert not pair.sender.cancel(number)


def test_a_stream_stopped_while_it_flows() -> None:
    pair, number = flowing()
    pair.put_on_wire()
    assert pair.receiver.refuse(number, CloseCode.LIMIT, text="enough")
    pair.take_off_wire()  # under way when we refused: dropped, no violation
    pair.talk()
    assert not pair.put_on_wire()
    assert pair.sender_events[-1] == StreamRefused(number, 4006, "enough")
    with pytest.raises(RemoteProtocolError, match="no stream that flows"):
        pair.receiver.data(DATA_HEADER.pack(number, MAX_DATA_BYTES) + b"x")
    assert not any(isinstance(event, StreamCancelled) for event in pair.receiver_events)


def test_a_complete_stream_with_a_wrong_digest_is_refused() -> None:
    pair, number = flowing(size=10)
    pair.put_on_wire()
    pair.take_off_wire()
    assert pair.receiver_events[-1] == StreamComplete(number)
    with pytest.raises(LocalProtocolError):
        pair.receiver.receipt(number, b"x" * 32)
    assert pair.receiver.refuse(number, CloseCode.PROTOCOL, text="wrong digest")
    pair.talk()
    assert pair.sender_events[-1] == StreamRefused(number, 4005, "wrong digest")


def test_the_sender_gives_up() -> None:
    pair, number = flowing()
    assert pair.sender.cancel(number)
    pair.talk()
    assert pair.receiver_events == [
        StreamOpened(Open(stream=number, kind="update", num_bytes=200_000, digest=DIGEST)),
        StreamCancelled(number),
    ]
    assert not pair.receiver.receipt(number, DIGEST)
    pair.sender.credited(CREDIT_BODY.pack(number, 0, 1))  # was under way: ignored


def test_a_full_disk_stops_the_stream_only() -> None:
    pair = Pair()
    number, _ = pair.offer(200_000)
    pair.receiver.accept(number, Spool(full_at=1000))
    pair.talk()
    pair.put_on_wire()
    pair.take_off_wire()
    assert pair.receiver_events[-1] == StreamFailed(
        number, outgoing=False, reason="no space left on device"
    )
    pair.talk()
    assert isinstance(pair.sender_events[-1], StreamRefused)


@pytest.mark.parametrize("truncated", [False, True])
def test_a_file_that_cannot_be_read_stops_the_stream_only(truncated: bool) -> None:
    pair = Pair()
    number, source = pair.offer(200_000)
    other, whole = pair.offer(10)
    spool = Spool()
    pair.receiver.accept(number, Spool())
    pair.receiver.accept(other, spool)
    pair.talk()
    if truncated:
        source.data = source.data[:100]
    else:
        source.broken = True
    assert pair.put_on_wire()
    pair.take_off_wire()
    assert spool.data == whole.data
    pair.talk()
    failed = pair.sender_events[-1]
    assert isinstance(failed, StreamFailed)
    assert failed.outgoing
    assert StreamCancelled(number) in pair.receiver_events


def test_wrong_calls_of_ours() -> None:
    pair = Pair()
    with pytest.raises(LocalProtocolError, match="cannot come from"):
        pair.sender.open(opening(3), Bytes(b"1234"))
    number, _ = pair.offer(10)
    for offset in (-1, 11):
        with pytest.raises(LocalProtocolError, match="no byte"):
            pair.receiver.accept(number, Spool(), offset=offset)
    assert pair.receiver.accept(number, Spool())
    with pytest.raises(LocalProtocolError, match="answered"):
        pair.receiver.accept(number, Spool())
    with pytest.raises(LocalProtocolError, match="not complete"):
        pair.receiver.receipt(number, DIGEST)


@given(st.text(max_size=400))
def test_texts_are_cut_to_what_the_codec_takes(text: str) -> None:
    report = ErrorReport(code=4000, text=shorten(text))
    assert decode(encode(report), ErrorReport) == report
