"""Structs to bytes and back, and everything that somebody else's bytes can be (L3)."""

from typing import Annotated

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedtui.errors import CloseCode, LocalProtocolError, RemoteProtocolError
from fedtui.wire import codec
from fedtui.wire.codec import canonical, decode, encode


class Report(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    round: Annotated[int, msgspec.Meta(ge=0, le=2**32)] = 0
    loss: Annotated[float, msgspec.Meta(ge=-1e30, le=1e30)] = 0.0
    label: str = ""
    blob: bytes = b""
    tags: tuple[str, ...] = ()
    sums: dict[str, int] = {}


class Goodbye(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    reason: str = ""


class Anything(msgspec.Struct, frozen=True):
    value: object = None


def raw(**fields):
    return msgspec.msgpack.encode({"type": "Report", **fields})


def refused(data, kind=Report, **bounds):
    with pytest.raises(RemoteProtocolError) as caught:
        decode(data, kind, **bounds)
    assert caught.value.code is CloseCode.PROTOCOL
    return str(caught.value)


reports = st.builds(
    Report,
    round=st.integers(0, 2**32),
    loss=st.floats(-1e30, 1e30),
    label=st.text(max_size=60),
    blob=st.binary(max_size=100),
    tags=st.lists(st.text(max_size=5), max_size=5).map(tuple),
    sums=st.dictionaries(st.text(max_size=3), st.integers(-(2**63), 2**63 - 1), max_size=5),
)


@settings(deadline=None)
@given(reports)
def test_what_is_encoded_decodes_to_the_same(report):
    assert decode(encode(report), Report) == report
    assert decode(memoryview(encode(report)), Report | Goodbye) == report
    assert decode(canonical(report), Report) == report


def test_a_union_tells_its_members_apart():
    assert decode(encode(Goodbye("x")), Report | Goodbye) == Goodbye("x")
    refused(encode(Goodbye("x")), Report)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=3), st.integers(0, 9), min_size=2, max_size=6))
def test_the_canonical_form_does_not_depend_on_order(sums):
    backwards = dict(reversed(sums.items()))
    assert canonical(Report(sums=sums)) == canonical(Report(sums=backwards))


def test_received_bytes_are_not_canonical():
    """Two encodings of one struct: why nothing hashes what arrived."""
    twice = b"\x83\xa4type\xa6Report\xa5round\x01\xa5round\x02"
    assert decode(twice, Report) == Report(round=2)
    assert canonical(decode(twice, Report)) != twice


def test_our_own_message_may_not_pass_the_limit():
    assert decode(encode(Report(blob=bytes(16_000))), Report).blob == bytes(16_000)
    with pytest.raises(LocalProtocolError, match=r"Report has .* limit of 16384"):
        encode(Report(blob=bytes(16_384)))
    large = encode(Report(blob=bytes(50_000)), max_bytes=60_000)
    assert decode(large, Report, max_bytes=60_000).blob == bytes(50_000)
    assert "limit of 16384" in refused(large)


BOMBS = {
    "nothing": b"",
    "not msgpack": b"\xc1",
    "a number": b"\x01",
    "cut off": raw(round=1)[:-1],
    "more behind": raw(round=1) + b"\x00",
    "list of 4 billion": b"\x82\xa4type\xa6Report\xa4tags\xdd\xff\xff\xff\xff",
    "map of 4 billion": b"\x82\xa4type\xa6Report\xa4sums\xdf\xff\xff\xff\xff",
    "blob of 4 GiB": b"\x82\xa4type\xa6Report\xa4blob\xc6\xff\xff\xff\xff",
    "text of 4 GiB": b"\x82\xa4type\xa6Report\xa5label\xdb\xff\xff\xff\xff",
    "int above 64 bits": raw(round=2**64 - 1),
    "int out of range": raw(round=2**32 + 1),
    "negative": raw(round=-1),
    "NaN": raw(loss=float("nan")),
    "infinite": raw(loss=float("inf")),
    "bad UTF-8": b"\x82\xa4type\xa6Report\xa5label\xa2\xff\xfe",
    "surrogates in UTF-8": b"\x82\xa4type\xa6Report\xa5label\xa3\xed\xa0\x80",
    "bad UTF-8 in a key": b"\x82\xa4type\xa6Report\xa2\xff\xfe\x01",
    "bad UTF-8 in a tag": b"\x81\xa4type\xa2\xff\xfe",
    "unknown field": raw(surprise=1),
    "unknown tag": b"\x81\xa4type\xa4Evil",
    "wrong kind": raw(label=1),
    "long text": raw(label="x" * 257),
    "long text in bytes, not characters": raw(label="ä" * 129),
    "long text in a list": raw(tags=["x" * 257]),
    "long text as a key": raw(sums={"x" * 257: 1}),
    "extension": b"\x82\xa4type\xa6Report\xa4blob\xc7\x01\x05x",
    "deep lists for a known field": b"\x82\xa4type\xa6Report\xa4tags" + b"\x91" * 16_000 + b"\xc0",
}


@pytest.mark.parametrize("name", BOMBS)
def test_L3_bombs_are_refused_as_4005(name):
    message = refused(BOMBS[name])
    assert len(message) < 300
    assert message.isprintable()


@pytest.mark.parametrize("nest", [b"\x91", b"\x81\xa1k"])
@pytest.mark.parametrize("depth", [17, 500, 5_000])
def test_L3_deep_nests_where_anything_is_allowed(nest, depth):
    data = b"\x81\xa5value" + nest * depth + b"\xc0"
    assert "deep" in refused(data, Anything) or depth > 500


def test_a_message_may_be_as_deep_as_the_bound():
    deep = b"\x81\xa5value" + b"\x91" * 15 + b"\xc0"
    assert decode(deep, Anything).value is not None
    assert "deep" in refused(b"\x81\xa5value" + b"\x91" * 16 + b"\xc0", Anything)


def test_the_text_bound_counts_bytes_and_can_be_raised():
    assert decode(raw(label="ä" * 128), Report).label == "ä" * 128
    assert decode(raw(label="ä" * 129), Report, max_text_bytes=258).label == "ä" * 129


def test_S2_mutated_control_messages():
    """10,000 hurt frames: a valid struct or 4005, never anything else."""
    rng = np.random.default_rng(6)
    good = [
        encode(Report(7, 0.5, "alice", b"blob", ("a", "b"), {"x": 1, "y": -5})),
        encode(Goodbye("the end")),
        encode(Report()),
    ]
    outcomes = {"read": 0, "refused": 0}
    for number in range(10_000):
        hurt = bytearray(good[number % 3])
        for _ in range(1 + number % 4):
            hurt[int(rng.integers(0, len(hurt)))] = int(rng.integers(0, 256))
        del hurt[len(hurt) - int(rng.integers(0, 3)) * (number % 2) :]
        try:
            message = decode(bytes(hurt), Report | Goodbye)
        except RemoteProtocolError as error:
            assert error.code is CloseCode.PROTOCOL  # noqa: PT017  either outcome is right
            outcomes["refused"] += 1
        else:
            assert decode(encode(message), Report | Goodbye) == message
            outcomes["read"] += 1
    assert min(outcomes.values()) > 300


def test_decoders_are_made_once():
    codec._decoder.cache_clear()
    for _ in range(3):
        decode(encode(Report()), Report)
        decode(encode(Report()), Report | Goodbye)
    assert codec._decoder.cache_info().misses == 2
