"""Structs to bytes and back: MessagePack through msgspec; nothing else decodes others' bytes.

Whatever arrives is bounded before and after decoding: total size, bytes per string (msgspec's own
`max_length` counts characters), and depth. Number ranges, list lengths and unknown fields are
bounded by the struct types (`Meta(ge=, le=, max_length=)`, `forbid_unknown_fields=True`). Bad
UTF-8 is no `msgspec.DecodeError` and deep nesting is a `RecursionError`; both end as
`RemoteProtocolError` here, like everything else that is wrong with somebody's bytes.

Duplicate map keys are accepted (the last wins), so received bytes are never hashed or signed as if
they were canonical: decode, then hash `canonical(struct)`.
"""

from collections.abc import Iterable
from functools import cache
from types import UnionType
from typing import TypeVar, overload

import msgspec

from fedtui.errors import LocalProtocolError, RemoteProtocolError

MAX_CONTROL_BYTES = 16 * 1024
MAX_TEXT_BYTES = 256
MAX_DEPTH = 16

T = TypeVar("T")

_ENCODER = msgspec.msgpack.Encoder()
_CANONICAL = msgspec.msgpack.Encoder(order="deterministic")


def encode(message: msgspec.Struct, *, max_bytes: int = MAX_CONTROL_BYTES) -> bytes:
    """Return the MessagePack form of a struct.

    Raises:
        LocalProtocolError: it is longer than `max_bytes`, so the other side would refuse it.
    """
    data = _ENCODER.encode(message)
    if len(data) > max_bytes:
        raise LocalProtocolError(
            f"{type(message).__name__} has {len(data)} bytes, over its limit of {max_bytes}"
        )
    return data


def canonical(message: msgspec.Struct) -> bytes:
    """Return the one encoding of a struct that is hashed and signed: maps and sets are sorted."""
    return _CANONICAL.encode(message)


@overload
def decode(
    data: bytes | memoryview,
    kind: type[T],
    *,
    max_bytes: int = ...,
    max_text_bytes: int = ...,
) -> T: ...
@overload
def decode(
    data: bytes | memoryview,
    kind: UnionType,
    *,
    max_bytes: int = ...,
    max_text_bytes: int = ...,
) -> object: ...
def decode(
    data: bytes | memoryview,
    kind: type[T] | UnionType,
    *,
    max_bytes: int = MAX_CONTROL_BYTES,
    max_text_bytes: int = MAX_TEXT_BYTES,
) -> T | object:
    """Return the struct that `data` holds; `kind` is a struct type or a union of tagged ones.

    Raises:
        RemoteProtocolError: it is no such struct, or passes a bound. Nothing of it was used.
    """
    if len(data) > max_bytes:
        raise RemoteProtocolError(
            f"a message has {len(data)} bytes, over its limit of {max_bytes}"
        )
    try:
        message = _decoder(kind).decode(data)  # type: ignore[arg-type]  # types do hash
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"a message cannot be read: {_first_line(error)}") from error
    _check_bounds(message, max_text_bytes, MAX_DEPTH)
    return message


@cache
def _decoder(kind: type[T] | UnionType) -> "msgspec.msgpack.Decoder[T | object]":
    return msgspec.msgpack.Decoder(kind)


def _check_bounds(value: object, max_text_bytes: int, depth: int) -> None:
    """Walk a decoded value; its size is bounded already, so is the walk."""
    if depth < 0:
        raise RemoteProtocolError(f"a message is nested more than {MAX_DEPTH} deep")
    if isinstance(value, str):
        if len(value) > max_text_bytes or len(value.encode()) > max_text_bytes:
            raise RemoteProtocolError(f"a text in a message has more than {max_text_bytes} bytes")
        return
    for part in _parts(value):
        _check_bounds(part, max_text_bytes, depth - 1)


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, msgspec.Struct):
        return [getattr(value, name) for name in value.__struct_fields__]
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return value
    return ()


def _first_line(error: Exception) -> str:
    """Quote msgspec, not the sender: its messages name fields of ours; cap them all the same."""
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
