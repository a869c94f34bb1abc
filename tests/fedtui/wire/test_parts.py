"""Messages in pieces come out as they went in, in order, and not one byte beyond the limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.errors import CloseCode, RemoteProtocolError
from fedtui.wire.channel import CTRL_PADDING_BYTES, MAX_BODY_BYTES
from fedtui.wire.parts import LAST, Joining, split

LIMIT = 400_000


def join(pieces: list[bytes], joining: Joining | None = None) -> bytes | None:
    joining = joining or Joining(LIMIT)
    for piece in pieces[:-1]:
        assert joining.take(piece, 0) is None
    return joining.take(pieces[-1], LAST)


@given(size=st.integers(0, LIMIT), fill=st.integers(0, 255))
def test_what_is_split_is_joined_again(size: int, fill: int) -> None:
    data = bytes([fill]) * size
    pieces = split(data)
    assert all(len(piece) == MAX_BODY_BYTES for piece in pieces[:-1])
    assert sum(map(len, pieces)) % CTRL_PADDING_BYTES == 0
    assert join(pieces) == data


def test_one_message_after_the_other() -> None:
    joining = Joining(LIMIT)
    for data in (b"a" * 100_000, b"", b"b" * 70_000):
        assert join(split(data), joining) == data


@pytest.mark.parametrize("size", [LIMIT + 1, 2**32 - 1])
def test_a_message_beyond_the_limit_is_refused_at_its_first_piece(size: int) -> None:
    first = size.to_bytes(4, "little") + bytes(MAX_BODY_BYTES - 4)
    with pytest.raises(RemoteProtocolError) as refused:
        Joining(LIMIT).take(first, 0)
    assert refused.value.code is CloseCode.LIMIT


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: [*p[:-1], p[-1] + bytes(CTRL_PADDING_BYTES)],
        lambda p: [*p[:-1], p[-1][:-CTRL_PADDING_BYTES]],
        lambda p: [*p[:-1], p[-1][:-1] + b"\x01"],
        lambda p: p[:1] + p[:1] + p[1:],
        lambda p: p[1:],
        lambda p: [p[0][:-1], *p[1:]],
        lambda p: [b""],
    ],
)
def test_what_split_does_not_make_is_refused(spoil) -> None:
    with pytest.raises(RemoteProtocolError):
        join(spoil(split(b"x" * 200_000)))
