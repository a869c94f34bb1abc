"""Any bytes or text into everything that reads a stranger's: its own refusal or a sound value."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fedtui.crypto import keyfile
from fedtui.crypto.keys import Identity, PublicIdentity, parse_fingerprint
from fedtui.errors import (
    ChannelError,
    CloseCode,
    FingerprintError,
    InviteError,
    KeyFileError,
    RemoteProtocolError,
)
from fedtui.wire.channel import Channel, RecordType
from fedtui.wire.codec import decode, encode
from fedtui.wire.invite import Invite
from fedtui.wire.rotation import Rotation

ME = Identity.from_seed(bytes(32))


class Loose(msgspec.Struct):
    """As permissive as a struct can be: what is refused here is refused everywhere."""

    value: object = None


# Bytes that look like MessagePack: nested, typed and sometimes broken.
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(),
    st.binary(),
)
packed = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
).map(msgspec.msgpack.encode)
anything = st.binary(max_size=300) | packed
framed = st.tuples(st.just(b"\x81\xa5value"), anything).map(b"".join) | anything


@settings(deadline=None)
@given(framed)
@example(b"\x81\xa5value\xa2\xff\xfe")
@example(b"\x81\xa5value" + b"\x91" * 9_000 + b"\xc0")
@example(b"\x81\xa5value\xdd\xff\xff\xff\xff")
def test_L3_any_bytes_decode_or_are_refused_as_4005(data):
    for kind in (Loose, Rotation):
        try:
            message = decode(data, kind)
        except RemoteProtocolError as error:
            assert error.code is CloseCode.PROTOCOL  # noqa: PT017  either outcome is right
        else:
            assert encode(message, max_bytes=2**20)


@settings(deadline=None)
@given(st.binary(max_size=1500))
def test_any_first_frame_is_no_conversation(frame):
    coordinator = Channel.responder(ME, b"", b"r" * 32)
    try:
        assert coordinator.read_handshake(frame) == b""
    except ChannelError:
        assert len(frame) != 32
    else:
        assert len(frame) == 32
    assert not coordinator.established


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_any_plaintext_of_an_enrolled_liar_is_a_record_or_4005(plaintext):
    node, coordinator = (
        Channel.initiator(ME, b"", b"i" * 32),
        Channel.responder(ME, b"", b"r" * 32),
    )
    coordinator.read_handshake(node.write_handshake())
    node.read_handshake(coordinator.write_handshake())
    coordinator.read_handshake(node.write_handshake())
    try:
        record = coordinator.open(node._sending.encrypt(plaintext))
    except RemoteProtocolError as error:
        assert error.code is CloseCode.PROTOCOL  # noqa: PT017  either outcome is right
        assert not coordinator.established
    else:
        assert record.kind in RecordType
        assert plaintext[:2] == bytes((record.kind, record.flags))


@settings(deadline=None)
@given(st.text(max_size=300) | st.text(max_size=200).map("fedtui1:{}".format))
def test_any_text_is_an_invite_or_refused(text):
    with pytest.raises(InviteError):
        Invite.parse(text)


@settings(deadline=None)
@given(st.text(max_size=60) | st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567- ", max_size=40))
def test_any_text_is_a_fingerprint_or_refused(text):
    with suppress(FingerprintError):
        assert len(parse_fingerprint(text)) == 20


@settings(deadline=None)
@given(st.binary(max_size=130) | st.binary(max_size=130).map(keyfile.MAGIC.__add__))
def test_any_file_is_a_key_or_refused(data):
    with pytest.raises(KeyFileError):
        keyfile.unpack(data, "passphrase", name="/k")


@settings(deadline=None)
@given(st.binary(max_size=100), st.binary(max_size=100), st.binary(min_size=32, max_size=32))
def test_any_signature_is_false_not_an_exception(message, signature, key):
    assert not ME.public.verify("purpose", message, signature)
    try:
        stranger = PublicIdentity(key, key)
    except RemoteProtocolError:
        return  # refused before it can sign anything: a key has one form only
    assert not stranger.verify("purpose", message, signature.ljust(64, b"\0")[:64])
