"""Every message: round-trips, refuses unknown fields, and refuses each value out of its bounds."""

import typing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.errors import RemoteProtocolError
from fedtui.wire import messages
from fedtui.wire.codec import decode, encode
from fedtui.wire.invite import InviteProof
from fedtui.wire.messages import ClientHello, Control, ServerHello

KINDS = sorted(
    {*typing.get_args(Control), ServerHello, ClientHello, messages.ErrorReport},
    key=lambda kind: kind.__name__,
)


def example(kind: object) -> object:
    """The smallest value of a type that its bounds allow."""
    info = kind if isinstance(kind, msgspec.inspect.Type) else msgspec.inspect.type_info(kind)
    match info:
        case msgspec.inspect.StructType():
            return info.cls(**{f.name: example(f.type) for f in info.fields})
        case msgspec.inspect.BytesType():
            return bytes(info.min_length or 0)
        case msgspec.inspect.StrType():
            return "a" * (info.min_length or (1 if info.pattern else 0))
        case msgspec.inspect.IntType():
            return info.ge or 0
        case msgspec.inspect.FloatType():
            return float(max(info.ge or 0.0, 0.0))
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.LiteralType():
            return info.values[0]
        case msgspec.inspect.UnionType():
            return example(info.types[0])
        case msgspec.inspect.DictType():
            return {example(info.key_type): example(info.value_type)}
        case msgspec.inspect.VarTupleType() | msgspec.inspect.TupleType():
            return ()
        case msgspec.inspect.NoneType():
            return None
        case _:
            raise AssertionError(f"no example for {info}")


def beyond(info: msgspec.inspect.Type) -> list[object]:
    """Values that are just out of a type's bounds, or of no use in any message."""
    match info:
        case msgspec.inspect.BytesType():
            longer = [bytes(info.max_length + 1)] if info.max_length is not None else []
            shorter = [bytes(info.min_length - 1)] if info.min_length else []
            return [*longer, *shorter, 7]
        case msgspec.inspect.StrType():
            longer = ["a" * (info.max_length + 1)] if info.max_length is not None else []
            return [*longer, "a" * 257, 7]
        case msgspec.inspect.IntType():
            above = [info.le + 1] if info.le is not None else []
            below = [info.ge - 1] if info.ge is not None else []
            return [*above, *below, "7", 1.5]
        case msgspec.inspect.FloatType():
            above = [info.le * 2] if info.le is not None else []
            return [*above, float("nan"), float("inf"), float("-inf"), "x"]
        case msgspec.inspect.LiteralType():
            return ["another", 7]
        case msgspec.inspect.DictType():
            good = example(info.value_type)
            many = {f"n{i}": good for i in range((info.max_length or 0) + 1)}
            wrong = 7 if isinstance(good, str) else "b"
            return [many, {"a" * 33: good}, {"a": float("nan")}, {"a": wrong}]
        case msgspec.inspect.VarTupleType():
            return [["a"] * ((info.max_length or 0) + 1)]
        case _:
            return ["nothing of the kind"]


def fields(kind: type) -> list[msgspec.inspect.Field]:
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    return list(info.fields)


def raw(kind: type) -> dict[str, object]:
    return msgspec.msgpack.decode(encode(example(kind)))


def union(kind: type) -> object:
    return kind if kind is messages.ErrorReport else Control | ServerHello | ClientHello


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(kind: type) -> None:
    message = example(kind)
    assert decode(encode(message), union(kind)) == message


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_and_missing_fields_are_refused(kind: type) -> None:
    data = raw(kind)
    with pytest.raises(RemoteProtocolError):
        decode(msgspec.msgpack.encode({**data, "more": 1}), union(kind))
    for field in fields(kind):
        if field.required:
            less = {k: v for k, v in data.items() if k != field.encode_name}
            with pytest.raises(RemoteProtocolError):
                decode(msgspec.msgpack.encode(less), union(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_values_out_of_bounds_are_refused(kind: type) -> None:
    data = raw(kind)
    for field in fields(kind):
        for value in beyond(field.type):
            changed = msgspec.msgpack.encode({**data, field.encode_name: value})
            with pytest.raises(RemoteProtocolError):
                decode(changed, union(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_and_text_has_a_bound(kind: type) -> None:
    """What has none could hold anything: a plan of gigabytes, a count of 2**64."""
    for field in fields(kind):
        match field.type:
            case msgspec.inspect.IntType(ge=ge, le=le):
                assert ge is not None, field.name
                assert le is not None, field.name
            case msgspec.inspect.FloatType(ge=ge, le=le):
                assert ge is not None, field.name
                assert le is not None, field.name
            case (
                msgspec.inspect.StrType(max_length=most)
                | msgspec.inspect.DictType(max_length=most)
            ):
                assert most is not None, field.name
            case _:
                pass


def test_the_parties_have_their_own_words() -> None:
    node = set(typing.get_args(messages.FromNode))
    coordinator = set(typing.get_args(messages.FromCoordinator))
    assert not node & coordinator
    names = [kind.__name__ for kind in KINDS]
    assert len(names) == len(set(names)), "a tag is used twice"


def test_an_invite_secret_is_not_shown() -> None:
    proof = InviteProof(invite_id=b"i" * 8, secret=b"s" * 16)
    assert "ssss" not in repr(proof)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_refusal(data: bytes) -> None:
    try:
        message = decode(data, Control)
    except RemoteProtocolError:
        return
    assert type(message) in KINDS
