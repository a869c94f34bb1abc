"""Key rotation statements: signed by both keys, about one identity, once (E3)."""

import msgspec
import pytest

from fedtui.crypto.keys import Identity
from fedtui.errors import CloseCode, IdentityMismatchError, RemoteProtocolError
from fedtui.wire.codec import canonical, decode, encode
from fedtui.wire.rotation import PURPOSE, Handover, Rotation, rotate, verify

OLD, NEW, EVIL = (Identity.from_seed(bytes((number,)) * 32) for number in range(3))


def test_E3_a_statement_leads_from_the_old_identity_to_the_new():
    statement = rotate(OLD, NEW, seq=1)
    assert verify(statement, OLD.public, last_seq=0) == NEW.public
    assert verify(decode(encode(statement), Rotation), OLD.public, last_seq=0) == NEW.public
    assert len(encode(statement)) <= 1024


def test_E3_an_old_statement_is_not_played_again():
    statement = rotate(OLD, NEW, seq=3)
    verify(statement, OLD.public, last_seq=2)
    for last_seq in (3, 4):
        with pytest.raises(IdentityMismatchError, match="was applied already"):
            verify(statement, OLD.public, last_seq=last_seq)


def changed(**fields):
    """The honest statement with something else in it, under the honest signatures."""
    honest = rotate(OLD, NEW, seq=1)
    return msgspec.structs.replace(
        honest, handover=msgspec.structs.replace(honest.handover, **fields)
    )


def half_signed(signer, about=NEW):
    """A well-made handover to `about`, where one identity signs for both."""
    handover = Handover(
        old_id=OLD.id,
        new_id=about.id,
        seq=1,
        x25519_public=about.x25519_public,
        ed25519_public=about.ed25519_public,
    )
    signature = signer.sign(PURPOSE, canonical(handover))
    return Rotation(handover=handover, old_signature=signature, new_signature=signature)


def both_signed(**fields):
    """Ids that do not fit the keys, under the signatures of both."""
    handover = changed(**fields).handover
    statement = canonical(handover)
    return Rotation(
        handover=handover,
        old_signature=OLD.sign(PURPOSE, statement),
        new_signature=NEW.sign(PURPOSE, statement),
    )


@pytest.mark.parametrize(
    "statement",
    [
        both_signed(old_id=EVIL.id),
        both_signed(new_id=EVIL.id),
        changed(seq=2),
        changed(old_id=EVIL.id),
        changed(new_id=EVIL.id),
        changed(x25519_public=EVIL.x25519_public),
        changed(ed25519_public=EVIL.ed25519_public),
        changed(
            new_id=EVIL.id,
            x25519_public=EVIL.x25519_public,
            ed25519_public=EVIL.ed25519_public,
        ),
        half_signed(OLD),
        half_signed(NEW),
        half_signed(EVIL),
        half_signed(EVIL, about=EVIL),
        rotate(EVIL, NEW, seq=1),
    ],
    ids=range(13),
)
def test_E3_no_other_statement_holds(statement):
    with pytest.raises(IdentityMismatchError) as caught:
        verify(statement, OLD.public, last_seq=0)
    assert caught.value.code is CloseCode.IDENTITY_MISMATCH


@pytest.mark.parametrize("field", ["old_id", "new_id", "x25519_public", "ed25519_public"])
def test_fields_of_another_length_do_not_decode(field):
    with pytest.raises(RemoteProtocolError):
        decode(encode(changed(**{field: bytes(31)})), Rotation)
