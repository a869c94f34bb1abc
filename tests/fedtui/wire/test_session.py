"""Conversations between the two halves of a session: identity, versions, who speaks when."""

import msgspec
import pytest
from a_session import (
    ADMISSION,
    COORDINATOR,
    ENROLLED,
    NODE,
    PLAN_HASH,
    STRANGER,
    WAITING,
    Pair,
    start,
)

from fedtui.crypto.keys import Identity, fingerprint
from fedtui.errors import CloseCode, LocalProtocolError
from fedtui.wire.channel import MAX_HELLO_BYTES
from fedtui.wire.codec import decode, encode
from fedtui.wire.events import (
    ClientIdentified,
    ErrorReported,
    MessageReceived,
    Readied,
    ServerIdentified,
    SessionEnded,
    Welcomed,
)
from fedtui.wire.halves import negotiate
from fedtui.wire.masked_messages import SealedShares, Shares, Survivors
from fedtui.wire.messages import (
    Away,
    Control,
    Echo,
    Fetch,
    Leaving,
    Open,
    ServerHello,
    SessionReady,
    Waiting,
    Welcome,
)
from fedtui.wire.rotation import Succession, succeed


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

    pair.node.ready(PLAN_HASH, {"site": "north\u202e", "age": "\u202e"})
    pair.talk()
    assert pair.of_coordinator[1] == Readied(PLAN_HASH, (("site", "north"),))
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


FIRST, SECOND = (Identity.from_seed(bytes([n]) * 32) for n in (1, 2))
STEPS = (succeed(FIRST, SECOND, seq=1), succeed(SECOND, COORDINATOR, seq=2))
FORGED = msgspec.structs.replace(STEPS[1], old_signature=STEPS[1].new_signature)
BY_STRANGER = msgspec.structs.replace(
    succeed(STRANGER, COORDINATOR, seq=3),
    old_x25519=SECOND.x25519_public,
    old_ed25519=SECOND.ed25519_public,
)


@pytest.mark.parametrize(
    ("pinned", "steps"), [(SECOND, STEPS), (FIRST, STEPS), (SECOND, STEPS[1:])]
)
def test_E3_a_coordinator_whose_old_key_vouches_is_accepted_and_told_of(
    pinned: Identity, steps: tuple[Succession, ...]
) -> None:
    pair = Pair(pinned=pinned.id, successions=steps).talk()
    identified = pair.of_node[0]
    assert isinstance(identified, ServerIdentified)
    assert identified.identity == COORDINATOR.public
    assert identified.pinned
    assert identified.successions == (STEPS if pinned is FIRST else STEPS[1:])
    assert isinstance(pair.of_coordinator[0], ClientIdentified)


def test_E3_whoever_trusts_the_new_key_already_hears_nothing_of_it() -> None:
    pair = Pair(successions=STEPS).talk()
    identified = pair.of_node[0]
    assert isinstance(identified, ServerIdentified)
    assert identified.successions == ()


@pytest.mark.parametrize(
    ("pinned", "steps", "last_seq"),
    [
        (SECOND, (), 0),
        (SECOND, STEPS[:1], 0),
        (SECOND, (FORGED,), 0),
        (SECOND, (BY_STRANGER,), 0),
        (SECOND, (succeed(SECOND, STRANGER, seq=2),), 0),
        (SECOND, STEPS, 2),
        (FIRST, (STEPS[1], STEPS[0]), 0),
        (FIRST, STEPS[1:], 0),
        (STRANGER, STEPS, 0),
    ],
)
def test_E3_without_a_statement_that_holds_the_node_stops_and_tells_nothing(
    pinned: Identity, steps: tuple[Succession, ...], last_seq: int
) -> None:
    pair = Pair(pinned=pinned.id, successions=steps, last_seq=last_seq).talk()
    ended = pair.node.ended
    assert ended is not None
    assert (ended.code, ended.authentic) == (CloseCode.IDENTITY_MISMATCH, True)
    assert fingerprint(COORDINATOR.id) in ended.text
    assert fingerprint(pinned.id) in ended.text
    assert pair.node.tally.sent.num_frames == 1  # M1: a fresh key, nothing else
    assert pair.of_coordinator == []


def test_the_longest_hello_of_a_coordinator_fits() -> None:
    last = 2**32
    steps = (succeed(FIRST, SECOND, seq=last - 1), succeed(SECOND, COORDINATOR, seq=last))
    hello = ServerHello(
        version_min=65535,
        version_max=65535,
        ed25519=COORDINATOR.ed25519_public,
        federation="\U0001f3e5" * 64,
        incarnation=2**53,
        successions=steps,
    )
    assert decode(encode(hello, max_bytes=MAX_HELLO_BYTES), ServerHello) == hello


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


def test_a_long_message_travels_in_pieces_and_in_order() -> None:
    pair = Pair().ready()
    nodes = tuple(range(30_000))
    long = Survivors(incarnation=1, round=1, attempt=1, nodes=nodes, signature=b"s" * 64)
    pair.of_node.clear()
    pair.coordinator.send(long)
    pair.coordinator.send(WAITING)
    pair.talk()
    heard = [event.message for event in pair.of_node if isinstance(event, MessageReceived)]
    assert [type(message) for message in heard] == [Survivors, Waiting]
    assert heard[0] == long


def test_a_node_may_say_less_at_once_than_the_coordinator() -> None:
    pair = Pair().ready()
    sealed = tuple(SealedShares(position=p, sealed=b"x" * 104) for p in range(3000))
    pair.node.send(Shares(incarnation=1, round=1, attempt=1, sealed=sealed))
    pair.talk()
    assert pair.coordinator.ended is not None
    assert pair.coordinator.ended.code == CloseCode.LIMIT
