"""The sizes that simulations reckon with are those of real frames."""

from functools import cache

from hypothesis import example, given
from hypothesis import strategies as st

from fedtui.crypto.keys import Identity
from fedtui.simulation.sizes import bulk_bytes, control_bytes
from fedtui.wire import parts
from fedtui.wire.bulk import DATA_HEADER, MAX_DATA_BYTES
from fedtui.wire.channel import MAX_CTRL_BODY_BYTES, Channel, RecordType, prologue

PROLOGUE = prologue("/fedtui/v1", ["fedtui.v1"], "fedtui.v1")


@cache
def channel() -> Channel:
    """A node's side of a real channel."""
    node = Channel.initiator(Identity.from_seed(b"n" * 32), PROLOGUE, b"1" * 32)
    coordinator = Channel.responder(Identity.from_seed(b"c" * 32), PROLOGUE, b"2" * 32)
    coordinator.read_handshake(node.write_handshake())
    node.read_handshake(coordinator.write_handshake())
    coordinator.read_handshake(node.write_handshake())
    return node


@given(st.integers(0, 3 * MAX_CTRL_BODY_BYTES))
@example(MAX_CTRL_BODY_BYTES)
@example(MAX_CTRL_BODY_BYTES + 1)
@example(65_535)
def test_a_message_is_as_long_as_its_frames(size: int) -> None:
    data = bytes(size)
    if size <= MAX_CTRL_BODY_BYTES:
        frames = [channel().seal(RecordType.CTRL, data)]
    else:
        frames = [channel().seal(RecordType.DATA, piece) for piece in parts.split(data)]
    assert control_bytes(size) == sum(map(len, frames))


@given(st.integers(0, 200_000))
@example(MAX_DATA_BYTES)
@example(MAX_DATA_BYTES + 1)
def test_a_stream_is_as_long_as_its_frames(size: int) -> None:
    pieces = [min(MAX_DATA_BYTES, size - at) for at in range(0, size, MAX_DATA_BYTES)]
    frames = [channel().seal(RecordType.DATA, bytes(DATA_HEADER.size + n)) for n in pieces]
    assert bulk_bytes(size) == sum(map(len, frames))
