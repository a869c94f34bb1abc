"""The channel, used rightly and wrongly: S3, S4 and S6, the halves that need no socket.

Mutated and tampered conversations (S2, S5) are in tests/properties/test_any_handshake.py.
"""

import copy

import numpy as np
import pytest
from noise.connection import Keypair, NoiseConnection

from fedtui.crypto.keys import Identity
from fedtui.crypto.noise import seal as noise_seal
from fedtui.errors import (
    ChannelClosedError,
    ChannelError,
    CloseCode,
    LocalProtocolError,
)
from fedtui.wire import channel as module
from fedtui.wire.channel import Channel, Limits, Record, RecordType, prologue

NODE = Identity.from_seed(b"n" * 32)
COORDINATOR = Identity.from_seed(b"c" * 32)
PROLOGUE = prologue("/fedtui/v1", ["fedtui.v1"], "fedtui.v1")
CTRL, DATA = RecordType.CTRL, RecordType.DATA


def sides(*, ours=PROLOGUE, theirs=PROLOGUE, seed=0, limits=None):
    rng = np.random.default_rng(seed)
    return (
        Channel.initiator(NODE, ours, rng.bytes(32), limits=limits),
        Channel.responder(COORDINATOR, theirs, rng.bytes(32), limits=limits),
    )


def connected(**options):
    node, coordinator = sides(**options)
    assert coordinator.read_handshake(node.write_handshake()) == b""
    assert node.read_handshake(coordinator.write_handshake(b"server hello")) == b"server hello"
    assert coordinator.read_handshake(node.write_handshake(b"client hello")) == b"client hello"
    return node, coordinator


def fork(channel):
    """A copy that goes its own way: far cheaper than another handshake."""
    twin = copy.copy(channel)
    twin._handshake = copy.copy(channel._handshake)
    twin._sending = copy.copy(channel._sending)
    twin._receiving = copy.copy(channel._receiving)
    return twin


def refuses(call, *arguments):
    """The code that a call dies with; fails if it does not."""
    with pytest.raises(ChannelError) as caught:
        call(*arguments)
    return caught.value.code


def hostile(channel, plaintext):
    """A record that is encrypted well and made wrongly: by a node that holds the keys."""
    return channel._sending.encrypt(plaintext)


# The regular way


def test_both_sides_learn_the_same_and_each_other():
    node, coordinator = connected()
    assert node.remote_x25519 == COORDINATOR.x25519_public
    assert coordinator.remote_x25519 == NODE.x25519_public
    assert node.handshake_hash == coordinator.handshake_hash
    assert node.session_id == coordinator.session_id
    assert len(node.session_id) == 16
    assert node.established
    assert coordinator.established
    assert node.session_id != connected(seed=1)[0].session_id


def test_the_node_knows_the_coordinator_before_it_says_who_it_is():
    node, coordinator = sides()
    coordinator.read_handshake(node.write_handshake())
    node.read_handshake(coordinator.write_handshake())
    assert node.remote_x25519 == COORDINATOR.x25519_public
    assert not node.established
    with pytest.raises(LocalProtocolError):
        _ = coordinator.remote_x25519


@pytest.mark.parametrize("kind", RecordType)
@pytest.mark.parametrize("size", [0, 1, 251, 252, 253, 508, 509, 16_384])
def test_records_arrive_as_sent_both_ways(kind, size):
    body = np.random.default_rng(size).bytes(size)
    node, coordinator = connected()
    for sender, receiver in ((node, coordinator), (coordinator, node)):
        assert receiver.open(sender.seal(kind, body, flags=size % 256)) == Record(
            kind, size % 256, body
        )


def test_parts_of_any_kind_are_joined():
    node, coordinator = connected()
    wide = memoryview(np.arange(4, dtype="<u4"))
    for kind in (DATA, CTRL):
        sealed = node.seal_parts(kind, b"ab", bytearray(b"cd"), memoryview(b"ef"), wide, flags=3)
        assert coordinator.open(sealed) == Record(kind, 3, b"abcdef" + wide.tobytes())


def test_the_longest_record_fills_the_longest_frame():
    node, coordinator = connected()
    body = bytes(module.MAX_BODY_BYTES)
    frame = node.seal(DATA, body)
    assert len(frame) == 65_535
    assert coordinator.open(frame).body == body


def test_control_messages_come_in_few_sizes():
    node, _ = connected()
    lengths = {len(node.seal(CTRL, bytes(size))) - 16 for size in range(600)}
    assert lengths == {256, 512, 768}


def test_a_record_is_noise_transport_with_rekey():
    """Another implementation of Noise reads our records, over two changes of key."""
    theirs = NoiseConnection.from_name(b"Noise_XX_25519_ChaChaPoly_BLAKE2b")
    theirs.set_as_responder()
    theirs.set_prologue(PROLOGUE)
    theirs.set_keypair_from_private_bytes(Keypair.STATIC, b"s" * 32)
    theirs.start_handshake()
    node = Channel.initiator(NODE, PROLOGUE, b"e" * 32, limits=Limits(rekey_every=3))
    theirs.read_message(node.write_handshake())
    node.read_handshake(bytes(theirs.write_message()))
    theirs.read_message(node.write_handshake())
    for index in range(8):
        if index in (3, 6):
            theirs.rekey_inbound_cipher()
            theirs.rekey_outbound_cipher()
        assert theirs.decrypt(node.seal(DATA, b"up", flags=index)) == bytes((2, index)) + b"up"
        assert node.open(bytes(theirs.encrypt(b"\x02\x00down"))).body == b"down"


# Ours: bugs on this side change nothing


def test_our_own_mistakes_leave_the_channel_usable():
    node, coordinator = connected()
    for call in (
        node.write_handshake,
        lambda: node.read_handshake(bytes(64)),
        lambda: node.seal(CTRL, bytes(16 * 1024 + 1)),
        lambda: node.seal(DATA, bytes(module.MAX_BODY_BYTES + 1)),
        lambda: node.seal(DATA, b"", flags=256),
        lambda: node.seal(DATA, b"", flags=-1),
    ):
        with pytest.raises(LocalProtocolError):
            call()
    assert coordinator.open(node.seal(CTRL, b"still here")).body == b"still here"


def test_records_and_names_come_after_the_handshake():
    node, coordinator = sides()
    for call in (
        lambda: node.seal(CTRL, b""),
        lambda: node.open(bytes(64)),
        lambda: node.session_id,
        coordinator.write_handshake,
        lambda: node.read_handshake(bytes(96)),
        lambda: node.write_handshake(b"M1 has no payload"),
    ):
        with pytest.raises(LocalProtocolError):
            call()
    coordinator.read_handshake(node.write_handshake())
    with pytest.raises(LocalProtocolError):
        coordinator.write_handshake(bytes(1025))
    assert node.read_handshake(coordinator.write_handshake(bytes(1024))) == bytes(1024)


def test_no_repr_shows_a_key():
    node, _ = connected()
    assert repr(node) == "Channel(initiator, established)"


# S3: the wrong conversation


@pytest.mark.parametrize(
    "theirs",
    [
        prologue("/fedtui/v2", ["fedtui.v1"], "fedtui.v1"),
        prologue("/fedtui/v1", ["fedtui.v2", "fedtui.v1"], "fedtui.v1"),
        prologue("/fedtui/v1", ["fedtui.v1"], "fedtui.v2"),
        prologue("/fedtui/v1", ["fedtui.v1"], ""),
        b"",
    ],
)
def test_S3_another_upgrade_than_the_other_side_saw(theirs):
    node, coordinator = sides(theirs=theirs)
    coordinator.read_handshake(node.write_handshake())
    assert refuses(node.read_handshake, coordinator.write_handshake(b"hello")) is CloseCode.CRYPTO


def test_S3_prologues_cannot_be_confused():
    seen = {
        prologue("/a", ["b"], "c"),
        prologue("/ab", [], "c"),
        prologue("/a", ["bc"], ""),
        prologue("/a", ["b", "c"], ""),
        prologue("/a", [], "bc"),
        prologue("", ["/a"], "bc"),
    }
    assert len(seen) == 6
    assert all(text.startswith(b"fedtui\x01") for text in seen)
    assert prologue("/\udcff", [], "")  # a byte of a request that is no UTF-8


@pytest.mark.parametrize(
    "frame",
    [b"", b'{"type":"hello"}', b"GET / HTTP/1.1\r\n\r\n", bytes(31), bytes(33), b"x" * 70_000],
)
def test_S3_plaintext_in_place_of_a_handshake(frame):
    _, coordinator = sides()
    assert refuses(coordinator.read_handshake, frame) is CloseCode.PROTOCOL


def test_S3_plaintext_in_place_of_a_record():
    node, coordinator = connected()
    assert refuses(fork(coordinator).open, b"\x01\x00" + bytes(254)) is CloseCode.CRYPTO
    for size in (0, 17, 65_536):
        assert refuses(fork(coordinator).open, bytes(size)) is CloseCode.PROTOCOL
    assert coordinator.open(node.seal(CTRL, b"x")).body == b"x"


@pytest.mark.parametrize("kind", [0, 6, 9, 255])
def test_S3_a_record_of_unknown_type(kind):
    node, coordinator = connected()
    assert refuses(coordinator.open, hostile(node, bytes((kind, 0)))) is CloseCode.PROTOCOL


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"\x00\x00",
        b"\x00\x00" + bytes(251),
        b"\x00\x00" + bytes(251) + b"\x01",
        b"\x00\x00" + bytes(252 + 256),
        b"\xfd\x00" + bytes(252),
        b"\xff\xff" + bytes(252),
        b"\x01\x40" + bytes(16_636),
    ],
)
def test_S3_a_control_message_has_one_way_to_be_written(body):
    node, coordinator = connected()
    assert refuses(coordinator.open, hostile(node, b"\x01\x00" + body)) is CloseCode.PROTOCOL


# S4: what was said before, said again


def test_S4_a_replayed_session_ends_at_the_third_message():
    node, coordinator = sides()
    first = node.write_handshake()
    coordinator.read_handshake(first)
    node.read_handshake(coordinator.write_handshake())
    third = node.write_handshake(b"join")
    coordinator.read_handshake(third)
    record = node.seal(CTRL, b"update")
    later = Channel.responder(COORDINATOR, PROLOGUE, b"another ephemeral".ljust(32))
    assert later.read_handshake(first) == b""
    later.write_handshake()
    assert refuses(later.read_handshake, third) is CloseCode.CRYPTO
    assert refuses(later.open, record) is CloseCode.CRYPTO
    assert coordinator.open(record).body == b"update"


def test_S4_a_third_message_twice_is_no_record():
    node, coordinator = sides()
    coordinator.read_handshake(node.write_handshake())
    node.read_handshake(coordinator.write_handshake())
    third = node.write_handshake(b"join")
    coordinator.read_handshake(third)
    assert refuses(coordinator.open, third) is CloseCode.CRYPTO


def test_S4_a_first_message_in_place_of_the_third():
    node, coordinator = sides()
    first = node.write_handshake()
    coordinator.read_handshake(first)
    coordinator.write_handshake()
    assert refuses(coordinator.read_handshake, first) is CloseCode.PROTOCOL
    assert not coordinator.established


@pytest.mark.parametrize("order", [(0, 0), (0, 1, 0), (0, 1, 1), (1,), (0, 2), (2,)], ids=str)
def test_S4_records_repeated_swapped_or_dropped(order):
    node, coordinator = connected()
    frames = [node.seal(CTRL, bytes((index,))) for index in range(3)]
    *fine, last = order
    for index in fine:
        assert coordinator.open(frames[index]).body == bytes((index,))
    assert refuses(coordinator.open, frames[last]) is CloseCode.CRYPTO
    assert refuses(coordinator.open, frames[len(fine)]) is CloseCode.CRYPTO


def test_S4_a_record_sent_back_to_its_sender():
    node, coordinator = connected()
    assert refuses(node.open, node.seal(CTRL, b"mine")) is CloseCode.CRYPTO
    assert coordinator.established


def test_S4_a_record_of_another_session():
    first, second = connected(seed=1), connected(seed=2)
    assert refuses(second[1].open, first[0].seal(CTRL, b"x")) is CloseCode.CRYPTO


def test_a_failed_channel_fails_for_ever_with_the_same_code():
    node, coordinator = connected()
    assert refuses(coordinator.open, bytes(100)) is CloseCode.CRYPTO
    for call in (
        lambda: coordinator.open(node.seal(CTRL, b"fine")),
        lambda: coordinator.seal(CTRL, b"x"),
        lambda: coordinator.read_handshake(bytes(64)),
        coordinator.write_handshake,
    ):
        assert refuses(call) is CloseCode.CRYPTO
    assert not coordinator.established
    assert repr(coordinator) == "Channel(responder, failed)"


# S6: long sessions


def test_S6_70_000_records_cross_a_rekey():
    node, coordinator = connected()
    first_key = node._sending._key
    for number in range(70_000):
        body = number.to_bytes(4, "little")
        assert coordinator.open(node.seal(DATA, body)).body == body
        if number == 65_534:
            assert node._sending._key == first_key
        if number == 65_535:
            assert node._sending._key != first_key
    assert coordinator._receiving._key == node._sending._key
    assert node._receiving._num_records == 0
    assert node.open(coordinator.seal(DATA, b"the other way")).body == b"the other way"


def test_S6_a_side_that_does_not_rekey_is_refused():
    node, _ = connected(limits=Limits(rekey_every=2))
    _, coordinator = connected(limits=Limits(rekey_every=3))
    for _ in range(2):
        coordinator.open(node.seal(DATA, b""))
    assert refuses(coordinator.open, node.seal(DATA, b"")) is CloseCode.CRYPTO


def test_S6_counters_end_cleanly():
    node, coordinator = connected(limits=Limits(max_records=3))
    frames = [node.seal(DATA, b"x") for _ in range(3)]
    for frame in frames:
        coordinator.open(frame)
    with pytest.raises(ChannelClosedError) as caught:
        node.seal(DATA, b"one too many")
    assert caught.value.code is CloseCode.BYE
    with pytest.raises(ChannelClosedError):
        coordinator.open(frames[0])
    assert not node.established
    assert not coordinator.established


def test_S6_the_last_nonce_is_never_used():
    assert Limits().max_records == 2**64 - 1
    assert Limits().rekey_every == 65_536
    node, _ = connected()
    key = node._sending._key
    node._sending._num_records = 2**64 - 2
    assert node.seal(DATA, b"last") == noise_seal(key, 2**64 - 2, b"", b"\x02\x00last")
    with pytest.raises(ChannelClosedError):
        node.seal(DATA, b"")
