"""Handshakes and records that somebody has tampered with, and any order of calls (S2, S5)."""

import copy
import gc

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedtui.crypto.keys import Identity
from fedtui.errors import ChannelError, CloseCode, LocalProtocolError, RemoteProtocolError
from fedtui.wire import channel as module
from fedtui.wire.channel import Channel, RecordType, prologue

NODE = Identity.from_seed(b"n" * 32)
COORDINATOR = Identity.from_seed(b"c" * 32)
PROLOGUE = prologue("/fedtui/v1", ["fedtui.v1"], "fedtui.v1")
CTRL = RecordType.CTRL
REFUSALS = {CloseCode.CRYPTO, CloseCode.PROTOCOL}


def sides():
    return (
        Channel.initiator(NODE, PROLOGUE, b"i" * 32),
        Channel.responder(COORDINATOR, PROLOGUE, b"r" * 32),
    )


def connected():
    node, coordinator = sides()
    coordinator.read_handshake(node.write_handshake())
    node.read_handshake(coordinator.write_handshake())
    coordinator.read_handshake(node.write_handshake())
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


def mutations(rng, frame, others):
    """One hostile version of `frame`: bits flipped, cut, longer, spliced, or made up."""
    kind = int(rng.integers(0, 6))
    changed = bytearray(frame)
    if kind <= 1:
        for _ in range(kind * 7 + 1):
            changed[int(rng.integers(0, len(frame)))] ^= 1 << int(rng.integers(0, 8))
    elif kind == 2:
        del changed[int(rng.integers(0, len(frame))) :]
    elif kind == 3:
        changed += rng.bytes(int(rng.integers(1, 40)))
    elif kind == 4:
        other = others[int(rng.integers(0, len(others)))]
        cut = int(rng.integers(0, min(len(frame), len(other)) + 1))
        changed[:cut] = other[:cut]
    else:
        changed[:] = rng.bytes(int(rng.integers(0, 200)))
    return bytes(changed)


def resident_bytes():
    gc.collect()
    return psutil.Process().memory_info().rss


# S2: mutated handshakes, records and control frames


def test_S2_mutated_handshakes_are_never_accepted():
    rng = np.random.default_rng(2)
    node0, coordinator0 = sides()
    first = node0.write_handshake()
    coordinator1 = fork(coordinator0)
    coordinator1.read_handshake(first)
    coordinator2 = fork(coordinator1)
    second = coordinator2.write_handshake(b"server hello")
    node2 = fork(node0)
    node2.read_handshake(second)
    third = node2.write_handshake(b"client hello")
    frames = first, second, third

    def attack(number):
        turn = number % 3
        hurt = mutations(rng, frames[turn], frames)
        if hurt == frames[turn]:
            return
        if turn == 1:
            assert refuses(fork(node0).read_handshake, hurt) in {
                CloseCode.CRYPTO,
                CloseCode.PROTOCOL,
            }
        elif turn == 2:
            victim = fork(coordinator2)
            assert refuses(victim.read_handshake, hurt) in {CloseCode.CRYPTO, CloseCode.PROTOCOL}
            assert not victim.established
        else:  # M1 holds nothing to check: the node finds out when it reads M2
            victim = fork(coordinator0)
            try:
                assert victim.read_handshake(hurt) == b""
                answer = victim.write_handshake()
            except ChannelError:
                return
            assert refuses(fork(node0).read_handshake, answer) is CloseCode.CRYPTO

    for number in range(300):
        attack(number)
    before = resident_bytes()
    for number in range(10_000):
        attack(number)
    assert resident_bytes() - before < 5_000_000


def test_S2_mutated_records_are_never_accepted():
    rng = np.random.default_rng(3)
    node, coordinator = connected()
    frames = [fork(node).seal(kind, rng.bytes(60)) for kind in RecordType for _ in range(5)]
    for number in range(10_000):
        frame = frames[number % len(frames)]
        hurt = mutations(rng, frame, frames)
        if hurt not in frames:
            victim = fork(coordinator)
            assert refuses(victim.open, hurt) in {CloseCode.CRYPTO, CloseCode.PROTOCOL}
            assert not victim.established


def test_S2_mutated_plaintexts_of_one_who_holds_the_keys():
    """Only exactly what `seal` would write opens as CTRL; nothing raises anything unexpected."""
    rng = np.random.default_rng(4)
    node, coordinator = connected()
    good = [module._plaintext(CTRL, 0, (rng.bytes(size),)) for size in (0, 10, 252, 300)]
    num_opened = 0
    for number in range(10_000):
        hurt = mutations(rng, good[number % 4], good)
        try:
            record = fork(coordinator).open(hostile(fork(node), hurt))
        except RemoteProtocolError as error:
            assert error.code is CloseCode.PROTOCOL  # noqa: PT017  either outcome is right
            continue
        assert module._plaintext(record.kind, record.flags, (record.body,)) == hurt
        num_opened += 1
    assert num_opened > 100  # a flipped bit of the body itself is the sender's own business


# S5: a man in the middle who flips bytes


def test_S5_every_byte_of_the_first_4_kib_counts():
    """Each byte of each direction, flipped: the session dies before anything later is opened."""
    rng = np.random.default_rng(5)
    node0, coordinator0 = sides()
    first = node0.write_handshake()
    coordinator1 = fork(coordinator0)
    coordinator1.read_handshake(first)
    second = coordinator1.write_handshake(b"server hello".ljust(300))
    node1 = fork(node0)
    node1.read_handshake(second)
    third = node1.write_handshake(b"client hello".ljust(300))
    coordinator2 = fork(coordinator1)
    coordinator2.read_handshake(third)

    num_bytes = {"up": 0, "down": 0}

    def flip_all(direction, frame, victim_call):
        for position in range(len(frame)):
            hurt = bytearray(frame)
            hurt[position] ^= 1 << int(rng.integers(0, 8))
            assert victim_call(bytes(hurt)) in {CloseCode.CRYPTO, CloseCode.PROTOCOL}
        num_bytes[direction] += len(frame)

    def after_first(hurt):
        victim = fork(coordinator0)
        try:
            victim.read_handshake(hurt)
            answer = victim.write_handshake()
        except ChannelError as error:
            return error.code
        return refuses(fork(node0).read_handshake, answer)

    flip_all("up", first, after_first)
    flip_all("down", second, lambda hurt: refuses(fork(node0).read_handshake, hurt))
    flip_all("up", third, lambda hurt: refuses(fork(coordinator1).read_handshake, hurt))
    for direction, sender, receiver in (
        ("up", node1, coordinator2),
        ("down", coordinator2, node1),
    ):
        while num_bytes[direction] < 4096:
            frame = sender.seal(CTRL, rng.bytes(700))

            def opened(hurt, receiver=receiver, frame=frame):
                victim = fork(receiver)
                code = refuses(victim.open, hurt)
                assert (
                    refuses(victim.open, frame) is code
                )  # dead for good, the true frame included
                return code

            flip_all(direction, frame, opened)
            receiver.open(frame)


# Any order of calls and frames

CALLS = st.sampled_from(["write", "read", "seal", "open"])
FRAMES = st.one_of(st.integers(0, 5), st.binary(max_size=200))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 3), st.lists(st.tuples(st.booleans(), CALLS, FRAMES), max_size=14))
def test_any_order_of_calls_raises_only_what_is_promised(num_honest, script):
    """Either side, any call, made-up frames or any the other side ever sent.

    Whatever opens is what the other side sealed, in its order, from the first on.
    """
    channels = sides()
    frames: tuple[list[bytes], list[bytes]] = [], []
    for turn in range(num_honest):
        frames[turn % 2].append(channels[turn % 2].write_handshake())
        channels[1 - turn % 2].read_handshake(frames[turn % 2][-1])
    sealed, opened = ([], []), ([], [])
    for who, call, given_frame in script:
        channel, sent = channels[who], frames[not who]
        frame = given_frame
        if isinstance(frame, int):
            frame = sent[-1 - frame % len(sent)] if sent else b""
        try:
            if call == "write":
                frames[who].append(channel.write_handshake())
            elif call == "read":
                assert channel.read_handshake(frame) == b""
            elif call == "seal":
                frames[who].append(channel.seal(CTRL, bytes((len(sealed[who]),))))
                sealed[who].append(bytes((len(sealed[who]),)))
            else:
                opened[who].append(channel.open(frame).body)
        except (ChannelError, LocalProtocolError):
            pass
        assert opened[who] == sealed[not who][: len(opened[who])]
    if channels[0].established and channels[1].established:
        assert channels[0].handshake_hash == channels[1].handshake_hash
