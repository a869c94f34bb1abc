"""Sessions under hostile frames, at their end, and with streams."""

import msgspec
import pytest
from a_session import (
    ADMISSION,
    COORDINATOR,
    NODE,
    PLAN_HASH,
    WAITING,
    Pair,
    start,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from fedtui.errors import CloseCode, LocalProtocolError
from fedtui.wire.channel import RecordType, prologue
from fedtui.wire.codec import encode
from fedtui.wire.events import (
    ClientIdentified,
    ErrorReported,
    MessageReceived,
    SessionEnded,
    StreamComplete,
    StreamOpened,
    StreamReceipt,
    Welcomed,
)
from fedtui.wire.messages import SUBPROTOCOL, Away, Echo, EchoReply, Open
from fedtui.wire.session import MAX_AGE_S, MAX_QUEUED

# ---- frames that nobody sent -------------------------------------------------------------------


def test_S3_another_prologue_fails_the_first_mac() -> None:
    other = prologue("/elsewhere", (SUBPROTOCOL,), SUBPROTOCOL)
    pair = Pair(coordinator=start(COORDINATOR, prologue=other)).talk()
    assert pair.node.ended is not None
    assert pair.node.ended.code == CloseCode.CRYPTO
    assert not pair.node.ended.authentic
    assert pair.of_coordinator == []


@pytest.mark.parametrize("frame", [b"", b"hello", b"{}" * 16, bytes(70_000)])
def test_S3_plaintext_instead_of_the_handshake(frame: bytes) -> None:
    pair = Pair()
    events = pair.coordinator.receive(frame)
    if pair.coordinator.ended is None:  # 32 bytes are a possible M1; then M3 fails
        pair.coordinator.next_frame()
        events += pair.coordinator.receive(frame)
    assert [type(event) for event in events] == [SessionEnded]
    assert pair.coordinator.next_frame() is None


def test_S3_an_unknown_type_of_record() -> None:
    pair = Pair().ready()
    direction = pair.node._channel._sending
    assert direction is not None
    pair.of_coordinator += pair.coordinator.receive(direction.encrypt(b"\x09\x00whatever"))
    ended = pair.of_coordinator[-1]
    assert isinstance(ended, SessionEnded)
    assert ended.code == CloseCode.PROTOCOL


def test_S3_flags_that_mean_nothing() -> None:
    pair = Pair().ready()
    frame = pair.node._channel.seal(RecordType.CTRL, encode(Away(away=True)), flags=1)
    pair.of_coordinator += pair.coordinator.receive(frame)
    assert isinstance(pair.of_coordinator[-1], SessionEnded)


@settings(max_examples=50, deadline=None)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), number=st.integers(0, 5))
def test_S5_a_flipped_bit_ends_the_session_and_is_never_dispatched(
    position: float, bit: int, number: int
) -> None:
    pair = Pair()
    frames = 0
    for _ in range(20):
        for sender, receiver, events in (
            (pair.node, pair.coordinator, pair.of_coordinator),
            (pair.coordinator, pair.node, pair.of_node),
        ):
            frame = sender.next_frame()
            if frame is None:
                continue
            if frames == number:
                broken = bytearray(frame)
                broken[int(position * len(frame))] ^= 1 << bit
                frame = bytes(broken)
            frames += 1
            events.extend(receiver.receive(frame))
            if frames == number + 1:
                break
        for event in (*pair.of_coordinator, *pair.of_node):
            if isinstance(event, ClientIdentified) and pair.coordinator._phase.name == "DECIDING":
                pair.coordinator.welcome(ADMISSION)
            if isinstance(event, Welcomed) and pair.node.asks_consent_to(PLAN_HASH):
                pair.node.ready(PLAN_HASH)
                pair.node.send(Away(away=True))
    assert frames > number
    assert pair.node.ended is not None or pair.coordinator.ended is not None
    assert MessageReceived(Away(away=True)) not in pair.of_coordinator


@given(frame=st.binary(max_size=400))
@settings(max_examples=50, deadline=None)
def test_S5_noise_never_raises(frame: bytes) -> None:
    pair = Pair().ready()
    for session in (pair.node, pair.coordinator):
        events = session.receive(frame)
        assert isinstance(events[-1], SessionEnded)
        assert session.receive(frame) == []
        while session.next_frame() is not None:
            pass


def test_what_anybody_on_the_path_can_do_is_not_authentic() -> None:
    """An empty message or a text frame can be injected: no verdict may rest on it."""
    pair = Pair().ready()
    pair.coordinator.receive(b"")
    assert pair.coordinator.ended is not None
    assert not pair.coordinator.ended.authentic
    assert pair.coordinator.next_frame() is None  # no ERROR that would stop the node for good
    pair.node.violation("a text frame came")
    assert pair.node.ended is not None
    assert not pair.node.ended.authentic


# ---- the end ----------------------------------------------------------------------------------


def test_an_error_is_told_after_what_was_queued() -> None:
    pair = Pair().ready()
    pair.coordinator.send(WAITING)
    pair.coordinator.close(
        CloseCode.OVERLOADED, "busy \x1b]0;now", retryable=True, retry_after_s=5.0
    )
    pair.coordinator.close(CloseCode.BYE, "too late")
    assert not pair.coordinator.can_send(WAITING)
    pair.talk()
    waiting, reported, ended = pair.of_node[-3:]
    assert waiting == MessageReceived(WAITING)
    assert isinstance(reported, ErrorReported)
    assert (reported.report.code, reported.report.retryable) == (4010, True)
    assert "\x1b" not in reported.report.text
    assert isinstance(ended, SessionEnded)
    assert (ended.code, ended.retry_after_s, ended.authentic) == (4010, 5.0, True)
    assert pair.coordinator.next_frame() is None


def test_a_rejection_before_the_welcome_is_encrypted() -> None:
    pair = Pair().talk()
    pair.coordinator.close(CloseCode.UNAUTHORISED, "unknown node")
    pair.talk()
    assert pair.of_node[-1] == SessionEnded(4001, "unknown node")


def test_a_lost_connection_is_no_verdict() -> None:
    pair = Pair().ready()
    pair.node.send(Away(away=True))
    assert pair.node.lost("the cable is gone") == SessionEnded(
        4000, "the cable is gone", authentic=False
    )
    assert pair.node.next_frame() is None
    assert pair.node.lost("again").text == "the cable is gone"


def test_a_session_lives_a_day() -> None:
    pair = Pair().ready()
    assert pair.node.deadline == 100.0 + MAX_AGE_S
    pair.node.tick(100.0 + MAX_AGE_S - 1)
    assert pair.node.ended is None
    pair.node.tick(100.0 + MAX_AGE_S)
    pair.talk()
    assert isinstance(pair.of_coordinator[-1], SessionEnded)
    assert pair.of_coordinator[-1].code == CloseCode.BYE


def test_what_nobody_reads_does_not_pile_up() -> None:
    pair = Pair().ready()
    for _ in range(MAX_QUEUED):
        pair.coordinator.send(WAITING)
    assert pair.coordinator.ended is None
    pair.coordinator.send(WAITING)
    assert pair.coordinator.ended is not None
    assert pair.coordinator.ended.code == CloseCode.LIMIT
    pair.talk()
    assert pair.of_node[-1] == SessionEnded(4006, "the other side does not read what it is told")


# ---- bulk, echo, counting ----------------------------------------------------------------------


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def num_bytes(self) -> int:
        return len(self.data)

    def read(self, offset: int, size: int) -> bytes:
        return self.data[offset : offset + size]


class Spool:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: memoryview, /) -> None:
        self.data += data


@settings(max_examples=20, deadline=None)
@given(size=st.integers(0, 3_000_000), held=st.floats(0, 1), upward=st.booleans())
def test_a_stream_resumes_at_any_offset(size: int, held: float, upward: bool) -> None:
    pair = Pair().ready()
    sender, receiver = (pair.node, pair.coordinator) if upward else (pair.coordinator, pair.node)
    events = pair.of_coordinator if upward else pair.of_node
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    opening = Open(stream=0, kind="update", num_bytes=size, digest=b"d" * 32)
    number = sender.open_stream(opening, Bytes(data))
    pair.talk()
    opened = events[-1]
    assert isinstance(opened, StreamOpened)
    assert opened.opening == msgspec.structs.replace(opening, stream=number)
    spool = Spool()
    offset = int(size * held)
    spool.data += data[:offset]
    receiver.accept(number, spool, offset=offset)
    pair.talk()
    assert events[-1] == StreamComplete(number)
    assert spool.data == data
    receiver.receipt(number, b"d" * 32)
    pair.talk()
    assert isinstance((pair.of_node if upward else pair.of_coordinator)[-1], StreamReceipt)
    assert sender.tally.sent.num_payload == receiver.tally.received.num_payload == size - offset


def test_control_goes_before_bulk() -> None:
    pair = Pair().ready()
    data = bytes(500_000)
    number = pair.node.open_stream(
        Open(stream=0, kind="update", num_bytes=len(data), digest=b"d" * 32), Bytes(data)
    )
    pair.talk()
    pair.coordinator.accept(number, Spool())
    frame = pair.coordinator.next_frame()
    assert frame is not None
    pair.node.receive(frame)
    assert len(pair.node.next_frame() or b"") == 65_535
    pair.node.send(Away(away=True))
    assert len(pair.node.next_frame() or b"") < 1000
    assert len(pair.node.next_frame() or b"") == 65_535


def test_streams_of_different_sessions_have_different_numbers() -> None:
    numbers = set()
    for seed in range(20):
        pair = Pair(node=start(NODE, ephemeral_secret=bytes([seed]) * 32)).ready()
        opening = Open(stream=0, kind="update", num_bytes=0, digest=b"d" * 32)
        numbers.add(pair.node.open_stream(opening, Bytes(b"")))
    assert len(numbers) == 20
    pair = Pair()
    with pytest.raises(LocalProtocolError):
        pair.node.open_stream(opening, Bytes(b""))
    assert not pair.node.cancel_stream(1)
    assert not pair.node.accept(1, Spool())
    assert not pair.node.refuse(1, CloseCode.LIMIT, text="")
    assert not pair.node.receipt(1, b"d" * 32)


def test_an_echo_is_answered() -> None:
    pair = Pair().ready()
    pair.coordinator.send(Echo(nonce=77))
    pair.talk()
    assert pair.of_coordinator[-1] == MessageReceived(EchoReply(nonce=77))


def test_every_byte_is_counted_once_on_both_sides() -> None:
    pair = Pair()
    carried = {"node": 0, "coordinator": 0}
    original = {"node": pair.node.next_frame, "coordinator": pair.coordinator.next_frame}

    def counted(side: str) -> bytes | None:
        frame = original[side]()
        carried[side] += len(frame or b"")
        return frame

    pair.node.next_frame = lambda: counted("node")  # type: ignore[method-assign]
    pair.coordinator.next_frame = lambda: counted("coordinator")  # type: ignore[method-assign]
    pair.ready()
    data = bytes(2_500_000)
    number = pair.node.open_stream(
        Open(stream=0, kind="update", num_bytes=len(data), digest=b"d" * 32), Bytes(data)
    )
    pair.talk()
    pair.coordinator.accept(number, Spool())
    pair.talk()
    for sender, receiver, side in (
        (pair.node, pair.coordinator, "node"),
        (pair.coordinator, pair.node, "coordinator"),
    ):
        assert sender.tally.sent == receiver.tally.received
        assert sender.tally.sent.num_bytes == carried[side]
    sent = pair.node.tally.sent
    assert sent.num_payload == len(data)
    assert sent.num_overhead < 4096
    assert pair.coordinator.tally.sent.num_credit > 0


def test_secrets_are_in_no_repr() -> None:
    secret = b"\xf3" * 32
    assert "xf3" not in repr(start(NODE, ephemeral_secret=secret))
