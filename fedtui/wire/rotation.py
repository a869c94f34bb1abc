"""The rotation statement: how an identity hands over to a new key, for all who trust the old one.

It names the old id, the new keys and a sequence number, and both Ed25519 keys sign it: the old one
so that nobody else can replace it, the new one so that nobody can hand over to keys of a stranger.
The sequence number grows with each rotation, so an old statement cannot be played again.
"""

from typing import Annotated

import msgspec

from fedtui.crypto.keys import ID_BYTES, KEY_BYTES, SIGNATURE_BYTES, Identity, PublicIdentity
from fedtui.errors import IdentityMismatchError
from fedtui.wire.codec import canonical

PURPOSE = "fedtui1-rotation"

Id = Annotated[bytes, msgspec.Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
Key = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
Signature = Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


class Handover(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed. `seq` is 1 for the first rotation of an identity, then 2, and so on."""

    old_id: Id
    new_id: Id
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**32)]
    x25519_public: Key
    ed25519_public: Key


class Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A handover and both signatures; at most 1 KiB when encoded."""

    handover: Handover
    old_signature: Signature
    new_signature: Signature


def rotate(old: Identity, new: Identity, *, seq: int) -> Rotation:
    """Make the statement that `new` takes the place of `old`."""
    handover = Handover(
        old_id=old.id,
        new_id=new.id,
        seq=seq,
        x25519_public=new.x25519_public,
        ed25519_public=new.ed25519_public,
    )
    statement = canonical(handover)
    return Rotation(
        handover=handover,
        old_signature=old.sign(PURPOSE, statement),
        new_signature=new.sign(PURPOSE, statement),
    )


def verify(rotation: Rotation, old: PublicIdentity, *, last_seq: int) -> PublicIdentity:
    """Return the identity that takes the place of `old`; its last rotation was `last_seq` (or 0).

    Raises:
        IdentityMismatchError: the statement is not about `old`, was made before, or is not signed
            by both keys.
    """
    handover = rotation.handover
    new = PublicIdentity(handover.x25519_public, handover.ed25519_public)
    if handover.old_id != old.id or handover.new_id != new.id:
        raise IdentityMismatchError("a key rotation names another identity than the trusted one")
    if handover.seq <= last_seq:
        raise IdentityMismatchError(
            f"key rotation {handover.seq} is old: number {last_seq} was applied already"
        )
    statement = canonical(handover)
    if not old.verify(PURPOSE, statement, rotation.old_signature):
        raise IdentityMismatchError("a key rotation is not signed by the trusted key")
    if not new.verify(PURPOSE, statement, rotation.new_signature):
        raise IdentityMismatchError("a key rotation is not signed by the new key")
    return new
