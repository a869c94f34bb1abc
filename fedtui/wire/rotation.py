"""The rotation statement: how an identity hands over to a new key, for all who trust the old one.

It names the old id, the new keys and a sequence number, and both Ed25519 keys sign it: the old one
so that nobody else can replace it, the new one so that nobody can hand over to keys of a stranger.
The sequence number grows with each rotation, so an old statement cannot be played again.

A node says its rotation in RotateKey. A coordinator shows its own in ServerHello, as steps: each
has the old public keys too, so that a node which knows no more than the old id can check it.
"""

from collections.abc import Iterable
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


class Succession(
    msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True
):
    """A rotation with the old public keys; 275 bytes at most when encoded, without names."""

    old_x25519: Key
    old_ed25519: Key
    x25519: Key
    ed25519: Key
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**32)]
    old_signature: Signature
    new_signature: Signature

    @property
    def old(self) -> PublicIdentity:
        """Who hands over."""
        return PublicIdentity(self.old_x25519, self.old_ed25519)

    @property
    def new(self) -> PublicIdentity:
        """Who takes its place, if both signatures hold."""
        return PublicIdentity(self.x25519, self.ed25519)

    @property
    def rotation(self) -> Rotation:
        """The statement itself, for `verify`."""
        handover = Handover(
            old_id=self.old.id,
            new_id=self.new.id,
            seq=self.seq,
            x25519_public=self.x25519,
            ed25519_public=self.ed25519,
        )
        return Rotation(
            handover=handover,
            old_signature=self.old_signature,
            new_signature=self.new_signature,
        )


def succeed(old: Identity, new: Identity, *, seq: int) -> Succession:
    """Make the step by which `new` takes the place of `old`."""
    made = rotate(old, new, seq=seq)
    return Succession(
        old_x25519=old.x25519_public,
        old_ed25519=old.ed25519_public,
        x25519=new.x25519_public,
        ed25519=new.ed25519_public,
        seq=seq,
        old_signature=made.old_signature,
        new_signature=made.new_signature,
    )


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


def follow(
    steps: Iterable[Succession], trusted_id: bytes, *, to: bytes, last_seq: int = 0
) -> tuple[Succession, ...]:
    """Return the steps, oldest first, that lead from a trusted id to the id `to`.

    Args:
        steps: what somebody claims, oldest first; those before the trusted id are passed over.
        trusted_id: whom we trust.
        to: who is there now, its keys proven.
        last_seq: number of the last rotation of the trusted identity that we know; 0 if none.

    Raises:
        IdentityMismatchError: the steps do not lead there, or one of them does not hold.
    """
    found: list[Succession] = []
    for step in steps:
        if step.old.id == trusted_id and trusted_id != to:
            trusted_id = verify(step.rotation, step.old, last_seq=last_seq).id
            last_seq = step.seq
            found.append(step)
    if trusted_id != to:
        raise IdentityMismatchError("no key rotation leads from the trusted key to this one")
    return tuple(found)
