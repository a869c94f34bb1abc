"""Conversations between the two halves of a session in memory."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedtui.crypto.keys import Identity, fingerprint
from fedtui.errors import CloseCode, LocalProtocolError
from fedtui.wire.channel import RecordType, prologue
from fedtui.wire.codec import encode
from fedtui.wire.events import (
    ClientIdentified,
    ErrorReported,
    MessageReceived,
    Readied,
    ServerIdentified,
    SessionEnded,
    SessionEvent,
    StreamComplete,
    StreamOpened,
    StreamReceipt,
    Welcomed,
)
from fedtui.wire.halves import Admission, CoordinatorSession, NodeHello, NodeSession, negotiate
from fedtui.wire.messages import (
    PATH,
    SUBPROTOCOL,
    Away,
    Control,
    Echo,
    EchoReply,
    Enrolled,
    Fetch,
    InviteProof,
    Leaving,
    Open,
    SessionReady,
    Waiting,
    Welcome,
)
from fedtui.wire.session import MAX_AGE_S, MAX_QUEUED, Session, SessionStart

NODE = Identity.from_seed(b"n" * 32)
COORDINATOR = Identity.from_seed(b"c" * 32)
STRANGER = Identity.from_seed(b"s" * 32)
PROLOGUE = prologue(PATH, (SUBPROTOCOL,), SUBPROTOCOL)
PLAN_HASH = b"p" * 32
ADMISSION = Admission(
    state="enrolled",
    role="participant",
    federation_id=b"f" * 32,
    plan_hash=PLAN_HASH,
    plan_bytes=100,
)
ENROLLED = Enrolled(role="participant", not_before=0, signature=b"s" * 64)
WAITING = Waiting(incarnation=1, present=1, needed=2)


def start(identity: Identity, **changes: object) -> SessionStart:
    fields = {
        "identity": identity,
        "ephemeral_secret": bytes(31) + identity.id[:1],
        "prologue": PROLOGUE,
        "now": 100.0,
    }
    return SessionStart(**(fields | changes))  # type: ignore[arg-type]


class Pair:
    """Both halves, and all events of each."""

    def __init__(
        self,
        *,
        pinned: bytes | None = COORDINATOR.id,
        trust_on_first_use: bool = False,
        node: SessionStart | None = None,
        coordinator: SessionStart | None = None,
    ) -> None:
        self.node = NodeSession(
            node or start(NODE),
            hello=NodeHello(
                label="alice",
                role="participant",
                invite=InviteProof(invite_id=b"i" * 8, secret=b"s" * 16),
            ),
            coordinator_id=pinned,
            trust_on_first_use=trust_on_first_use,
        )
        self.coordinator = CoordinatorSession(
            coordinator or start(COORDINATOR), federation="digits", incarnation=3
        )
        self.of_node: list[SessionEvent] = []
        self.of_coordinator: list[SessionEvent] = []

    def talk(self) -> "Pair":
        """Carry frames both ways until both are silent."""
        silent = False
        while not silent:
            silent = True
            for sender, receiver, events in (
                (self.node, self.coordinator, self.of_coordinator),
                (self.coordinator, self.node, self.of_node),
            ):
                frame = sender.next_frame()
                if frame is not None:
                    silent = False
                    events.extend(receiver.receive(frame))
        self.of_node += self.node.take_events()
        self.of_coordinator += self.coordinator.take_events()
        return self

    def welcomed(self) -> "Pair":
        self.talk()
        self.coordinator.welcome(ADMISSION)
        return self.talk()

    def ready(self) -> "Pair":
        self.welcomed()
        self.node.ready(PLAN_HASH)
        return self.talk()

    def say(self, session: Session, message: Control) -> "Pair":
        """Send what the API would refuse to send: the other side may be anybody's program."""
        session._queue.append(encode(message))
        return self.talk()


def test_handshake_welcome_consent_work() -> None:
    pair = Pair().talk()
    identified = pair.of_node[0]
    assert isinstance(identified, ServerIdentified)
    assert identified.identity == COORDINATOR.public
    assert identified.pinned
    assert (identified.hello.federation, identified.hello.incarnation) == ("digits", 3)
    seen = pair.of_coordinator[0]
    assert isinstance(seen, ClientIdentified)
    assert seen.identity == NODE.public
    assert (seen.hello.label, seen.hello.role) == ("alice", "participant")
    assert seen.hello.invite is not None

    pair.coordinator.welcome(ADMISSION)
    pair.talk()
    welcomed = pair.of_node[1]
    assert isinstance(welcomed, Welcomed)
    assert welcomed.welcome.state == "enrolled"
    assert welcomed.welcome.plan_hash == PLAN_HASH
    assert not pair.coordinator.ready_for_work

    pair.node.ready(PLAN_HASH)
    pair.talk()
    assert pair.of_coordinator[1] == Readied(PLAN_HASH)
    assert pair.coordinator.ready_for_work
    pair.coordinator.send(ENROLLED)
    pair.coordinator.send(WAITING)
    pair.node.send(Away(away=True))
    pair.talk()
    assert pair.of_node[2:] == [MessageReceived(ENROLLED), MessageReceived(WAITING)]
    assert pair.of_coordinator[2:] == [MessageReceived(Away(away=True))]


# ---- identity --------------------------------------------------------------------------------


def test_S3_another_coordinator_learns_nothing() -> None:
    pair = Pair(pinned=STRANGER.id).talk()
    ended = pair.node.ended
    assert ended is not None
    assert ended.code == CloseCode.IDENTITY_MISMATCH
    assert fingerprint(COORDINATOR.id) in ended.text
    assert fingerprint(STRANGER.id) in ended.text
    assert pair.node.tally.sent.num_frames == 1  # M1: a fresh key, nothing else
    assert pair.of_coordinator == []


def test_nothing_pinned_is_refused_unless_asked_for() -> None:
    pair = Pair(pinned=None).talk()
    assert pair.node.ended is not None
    assert pair.node.ended.code == CloseCode.IDENTITY_MISMATCH
    assert pair.node.tally.sent.num_frames == 1


def test_trust_on_first_use_waits_for_a_person() -> None:
    pair = Pair(pinned=None, trust_on_first_use=True).talk()
    identified = pair.of_node[0]
    assert isinstance(identified, ServerIdentified)
    assert not identified.pinned
    assert pair.of_coordinator == []
    pair.node.go_on()
    pair.talk()
    assert isinstance(pair.of_coordinator[0], ClientIdentified)
    with pytest.raises(LocalProtocolError):
        pair.node.go_on()


def test_a_person_who_does_not_trust_ends_it_silently() -> None:
    pair = Pair(pinned=None, trust_on_first_use=True).talk()
    pair.node.stop()
    pair.talk()
    assert pair.node.tally.sent.num_frames == 1
    assert pair.of_coordinator == []


def test_an_impatient_coordinator_does_not_get_past_the_question() -> None:
    pair = Pair(pinned=None, trust_on_first_use=True).talk()
    pair.of_node += pair.node.receive(b"x" * 100)
    assert pair.node.ended is not None
    assert not pair.node.ended.authentic


def test_S7_keys_of_one_cannot_claim_the_id_of_another() -> None:
    # The id comes from the proven X25519 key: with another's Ed25519 key it is a third id.
    mixed = start(STRANGER)
    pair = Pair(node=mixed)
    stolen = msgspec.structs.replace
    del stolen
    pair.talk()
    seen = pair.of_coordinator[0]
    assert isinstance(seen, ClientIdentified)
    assert seen.identity.id == STRANGER.id
    forged = Identity(
        STRANGER.x25519, type(NODE.public)(STRANGER.x25519_public, NODE.ed25519_public), b""
    )
    pair = Pair(node=start(forged)).talk()
    seen = pair.of_coordinator[0]
    assert isinstance(seen, ClientIdentified)
    assert seen.identity.id not in {NODE.id, STRANGER.id}


# ---- versions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "spoken"),
    [
        ((1, 1), (1, 1), 1),
        ((1, 9), (1, 9), 9),
        ((1, 2), (1, 1), 1),
        ((1, 1), (1, 2), 1),
        ((1, 3), (2, 4), 3),
        ((2, 2), (1, 1), None),
        ((1, 1), (2, 2), None),
        ((2, 3), (4, 5), None),
        ((5, 4), (1, 9), None),
    ],
)
def test_S8_versions(ours: tuple[int, int], theirs: tuple[int, int], spoken: int | None) -> None:
    pair = Pair(
        node=start(NODE, versions=ours), coordinator=start(COORDINATOR, versions=theirs)
    ).talk()
    if spoken is None:
        ended = pair.node.ended
        assert ended is not None
        assert (ended.code, ended.authentic) == (CloseCode.VERSION, True)
        for number in (*ours, *theirs):
            assert str(number) in ended.text
        assert pair.node.tally.sent.num_frames == 1
        return
    assert pair.node.version == pair.coordinator.version == spoken
    assert negotiate(ours, theirs) == negotiate(theirs, ours) == spoken
    pair.welcomed()
    assert isinstance(pair.of_node[-1], Welcomed)


def test_S8_a_node_that_goes_on_regardless_is_told() -> None:
    pair = Pair(coordinator=start(COORDINATOR, versions=(1, 1)))
    frame = pair.node.next_frame()
    assert frame is not None
    pair.coordinator.receive(frame)
    pair.coordinator._start = start(COORDINATOR, versions=(2, 3))
    pair.talk()
    assert isinstance(pair.of_node[-1], SessionEnded)
    assert pair.of_node[-1].code == CloseCode.VERSION
    assert pair.of_node[-1].authentic
    report = pair.of_node[-2]
    assert isinstance(report, ErrorReported)
    assert "2 to 3" in report.report.text
    assert "1 to 1" in report.report.text


# ---- what is said out of turn -----------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [Away(away=True), Open(stream=1, kind="update", num_bytes=1, digest=PLAN_HASH)],
)
def test_no_work_before_consent(message: Control) -> None:
    pair = Pair().welcomed()
    assert not pair.node.can_send(message)
    pair.say(pair.node, message)
    assert pair.coordinator.ended is not None
    assert pair.coordinator.ended.code == CloseCode.PROTOCOL
    assert isinstance(pair.of_node[-2], ErrorReported)


@pytest.mark.parametrize(
    "message", [Fetch(kind="plan", digest=PLAN_HASH), Leaving(), Echo(nonce=1)]
)
def test_what_a_node_may_say_before_consent(message: Control) -> None:
    pair = Pair().welcomed()
    assert pair.node.can_send(message)
    pair.say(pair.node, message)
    assert pair.coordinator.ended is None


def test_the_coordinator_may_not_send_work_before_consent() -> None:
    pair = Pair().welcomed()
    for message in (WAITING, ENROLLED):
        with pytest.raises(LocalProtocolError):
            pair.coordinator.send(message)
    pair.say(pair.coordinator, WAITING)
    assert pair.node.ended is not None
    assert pair.node.ended.code == CloseCode.PROTOCOL


def test_nobody_speaks_before_the_welcome() -> None:
    pair = Pair().talk()
    with pytest.raises(LocalProtocolError):
        pair.node.send(Leaving())
    pair.say(pair.node, Leaving())
    assert pair.coordinator.ended is not None
    pair = Pair().talk()
    pair.say(pair.coordinator, Echo(nonce=1))
    assert pair.node.ended is not None
    assert pair.node.ended.code == CloseCode.PROTOCOL
    assert not any(isinstance(event, ErrorReported) for event in pair.of_node)  # our own verdict


def test_there_is_one_welcome() -> None:
    pair = Pair().welcomed()
    welcomed = pair.of_node[-1]
    assert isinstance(welcomed, Welcomed)
    pair.say(pair.coordinator, welcomed.welcome)
    assert pair.node.ended is not None
    assert pair.node.ended.code == CloseCode.PROTOCOL


@pytest.mark.parametrize("wrong_way", ["node", "coordinator"])
def test_messages_in_the_wrong_direction_are_unreadable(wrong_way: str) -> None:
    pair = Pair().ready()
    if wrong_way == "node":
        pair.say(pair.node, WAITING)
        ended = pair.coordinator.ended
    else:
        pair.say(pair.coordinator, Away(away=True))
        ended = pair.node.ended
    assert ended is not None
    assert ended.code == CloseCode.PROTOCOL


@pytest.mark.parametrize("field", ["session_id", "plan_hash"])
def test_consent_to_something_else(field: str) -> None:
    pair = Pair().welcomed()
    good = SessionReady(session_id=pair.node._channel.session_id, plan_hash=PLAN_HASH)
    size = len(getattr(good, field))
    pair.say(pair.node, msgspec.structs.replace(good, **{field: b"x" * size}))
    assert pair.coordinator.ended is not None
    assert pair.coordinator.ended.code == CloseCode.PROTOCOL


def test_consent_and_welcome_are_given_once() -> None:
    pair = Pair().ready()
    with pytest.raises(LocalProtocolError):
        pair.node.ready(PLAN_HASH)
    with pytest.raises(LocalProtocolError):
        pair.coordinator.welcome(ADMISSION)
    again = SessionReady(session_id=pair.node._channel.session_id, plan_hash=PLAN_HASH)
    pair.say(pair.node, again)
    assert pair.coordinator.ended is not None
    pair = Pair().welcomed()
    assert not pair.node.asks_consent_to(b"x" * 32)
    with pytest.raises(LocalProtocolError):
        pair.node.ready(b"x" * 32)


@pytest.mark.parametrize(
    "change", [{"session_id": b"x" * 16}, {"version": 9}], ids=["session", "version"]
)
def test_a_welcome_that_does_not_fit(change: dict[str, object]) -> None:
    pair = Pair().talk()
    welcome = Welcome(
        session_id=pair.node._channel.session_id,
        state="enrolled",
        version=1,
        federation_id=b"f" * 32,
        plan_hash=PLAN_HASH,
        plan_bytes=1,
        window=2**20,
    )
    pair.say(pair.coordinator, msgspec.structs.replace(welcome, **change))
    assert pair.node.ended is not None
    assert pair.node.ended.code == CloseCode.PROTOCOL


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
