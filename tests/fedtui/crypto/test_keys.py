"""Identities, digests, signatures, fingerprints."""

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey
from nacl.signing import SigningKey, VerifyKey

from fedtui.crypto import keys
from fedtui.crypto.keys import Identity, KeyPair, PublicIdentity, digest
from fedtui.errors import (
    CryptoError,
    FingerprintError,
    LocalProtocolError,
    RemoteProtocolError,
)

SEED = bytes(range(32))
ALICE = Identity.from_seed(SEED)
BOB = Identity.from_seed(bytes(32))


def test_an_identity_follows_from_its_seed_as_documented():
    secret = hashlib.blake2b(SEED, digest_size=32, person=b"fedtui-x25519-v1").digest()
    signing = hashlib.blake2b(SEED, digest_size=32, person=b"fedtui-ed255-v1").digest()
    x25519 = bytes(PrivateKey(secret).public_key)
    ed25519 = bytes(SigningKey(signing).verify_key)
    both = hashlib.blake2b(x25519 + ed25519, digest_size=32, person=b"fedtui-id-v1").digest()
    assert (ALICE.x25519_public, ALICE.ed25519_public, ALICE.id) == (x25519, ed25519, both)


def test_an_identity_never_changes_between_versions():
    assert keys.fingerprint(ALICE.id) == "2Q2T-VO6T-RNYE-KYNU-MYBX-2OIO-SGE4-JDOV"


def test_a_signature_is_ed25519_over_label_signer_and_message():
    signature = ALICE.sign("roster", b"message")
    statement = b"fedtui-sign-v1" + b"\x06\x00roster" + ALICE.id + b"message"
    VerifyKey(ALICE.ed25519_public).verify(statement, signature)
    assert len(signature) == 64


@settings(max_examples=50, deadline=None)
@given(
    message=st.binary(max_size=64),
    purpose=st.text(max_size=8),
    flipped=st.integers(0, 64 * 8 - 1),
)
def test_a_signature_fits_nothing_else(message, purpose, flipped):
    signature = ALICE.sign(purpose, message)
    assert ALICE.public.verify(purpose, message, signature)
    assert not ALICE.public.verify(purpose + "x", message, signature)
    assert not ALICE.public.verify(purpose, message + b"x", signature)
    assert not BOB.public.verify(purpose, message, signature)
    altered = (int.from_bytes(signature, "big") ^ 1 << flipped).to_bytes(64, "big")
    assert not ALICE.public.verify(purpose, message, altered)


def test_label_and_message_cannot_trade_bytes():
    assert not ALICE.public.verify("ab", b"c", ALICE.sign("a", b"bc"))
    assert digest("ab", b"c") != digest("a", b"bc")
    assert digest("a", b"bc", b"") != digest("a", b"b", b"c") != digest("a", b"bc")


def test_a_signature_names_its_signer_even_under_a_shared_signing_key():
    # The same Ed25519 key beside another X25519 key is another identity.
    twin = PublicIdentity(BOB.x25519_public, ALICE.ed25519_public)
    assert not twin.verify("roster", b"m", ALICE.sign("roster", b"m"))


PRIME = 2**255 - 19


@pytest.mark.parametrize(
    "other_form", [lambda u: u | 2**255, lambda u: u + PRIME], ids=["high bit", "plus the prime"]
)
def test_a_key_in_another_form_is_no_key(other_form):
    """X25519 would take it, and agree on the same secret as with the key itself."""
    ours = KeyPair.from_secret(b"o" * 32)
    for number in (9, 2, 18):  # small enough to have a second form below 2**255
        key, copy = (n.to_bytes(32, "little") for n in (number, other_form(number)))
        assert keys.is_canonical(key)
        assert not keys.is_canonical(copy)
        with pytest.raises(CryptoError, match="canonical"):
            ours.agree(copy)
        with pytest.raises(RemoteProtocolError, match="canonical"):
            PublicIdentity(copy, b"e" * 32)
        assert PublicIdentity(key, b"e" * 32).x25519_public == key
    assert keys.is_canonical((PRIME - 1).to_bytes(32, "little"))


@pytest.mark.parametrize("size", [0, 63, 65, 128])
def test_a_signature_of_another_length_is_no_signature(size):
    assert not ALICE.public.verify("roster", b"m", bytes(size))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=5))
def test_a_digest_counts_bytes_whatever_holds_them(parts):
    wanted = digest("p", *parts)
    assert wanted == digest("p", *map(bytearray, parts)) == digest("p", *map(memoryview, parts))
    assert len(wanted) == 32


def test_a_digest_counts_the_bytes_of_wide_items():
    wide = memoryview(bytes(16)).cast("d")
    assert digest("p", wide) == digest("p", bytes(16))


def test_agreement_is_mutual_and_refuses_useless_keys():
    assert ALICE.x25519.agree(BOB.x25519_public) == BOB.x25519.agree(ALICE.x25519_public)
    low_order = bytes(32), b"\x01" + bytes(31)
    for public in low_order:
        with pytest.raises(CryptoError):
            ALICE.x25519.agree(public)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_wrong_lengths_are_refused(size):
    with pytest.raises(LocalProtocolError):
        Identity.from_seed(bytes(size))
    with pytest.raises(LocalProtocolError):
        KeyPair.from_secret(bytes(size))
    with pytest.raises(RemoteProtocolError):
        PublicIdentity(bytes(size), bytes(32))
    with pytest.raises(RemoteProtocolError):
        PublicIdentity(bytes(32), bytes(size))
    with pytest.raises(CryptoError):
        ALICE.x25519.agree(bytes(size))


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_a_fingerprint_reads_back_however_it_is_typed(identity_id):
    text = keys.fingerprint(identity_id)
    assert [len(group) for group in text.split("-")] == [4] * 8
    assert keys.parse_fingerprint(text) == identity_id[:20]
    assert keys.parse_fingerprint(f"  {text.lower().replace('-', ' ')}\n") == identity_id[:20]
    assert keys.short_id(identity_id) == base64.b32encode(identity_id).decode()[:8]
    assert text.replace("-", "").startswith(keys.short_id(identity_id))


@pytest.mark.parametrize(
    "text", ["", "BK6L", "BK6L-UZEO", "1" * 32, "A" * 31, "A" * 33, "A" * 40, "ä" * 32, "=" * 32]
)
def test_what_is_no_fingerprint_is_said_so(text):
    with pytest.raises(FingerprintError, match="8 groups of 4"):
        keys.parse_fingerprint(text)


def test_K2_no_repr_shows_a_secret():
    shown = f"{ALICE!r} {ALICE.x25519!r} {ALICE.public!r} {ALICE}"
    for secret in (SEED, ALICE.x25519._secret, ALICE._ed25519_secret[:32]):
        assert repr(secret)[2:20] not in shown
        assert secret.hex()[:16] not in shown
    assert not hasattr(ALICE, "__dict__")
