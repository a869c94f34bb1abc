"""What both parties of an attempt compute alike: contexts, seeds, and what is signed.

    ctx  = H(ctx | version, federation, coordinator, purpose, round, attempt, incarnation of the
             Offer, H(model), H(plan), keystream)
    ctx2 = H(ctx2 | ctx, H(roster: entries, colluders, minimum, degree, group))
           of a group: H(ctx2g | ctx2 of the whole roster, number of the group)
    ctx3 = H(ctx3 | ctx2, U1)

Ready is signed over ctx, shares are sealed under ctx2, and mask seeds and votes come from ctx3. So
a node that was shown another model, plan, roster or U1 than the others derives other masks, and
the sum becomes noise instead of leaking. H is keys.digest: every purpose and part is hashed with
its length. Positions are hashed as four bytes, sets of them in rising order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from fedtui.crypto import shamir
from fedtui.crypto.keys import KeyPair, PublicIdentity, digest
from fedtui.crypto.keystream import Keystream
from fedtui.secagg.graph import encode_set
from fedtui.wire.codec import canonical
from fedtui.wire.messages import Roster, RosterEntry

VERSION = 1
READY, ROSTER, MAILBOX, SURVIVORS, VOTE = (
    f"fedtui1-{name}" for name in ("ready", "roster", "mailbox", "survivors", "vote")
)
Purpose = Literal["update", "evaluation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt as its Offer names it. Ids and digests are 32 bytes.

    `keystream` is what the plan names; which one is used, `keystream_of` says.
    """

    federation_id: bytes
    coordinator_id: bytes
    purpose: Purpose
    round: int
    attempt: int
    incarnation: int
    model_digest: bytes
    plan_hash: bytes
    keystream: Keystream = "chacha20"

    def context(self) -> bytes:
        """Compute ctx."""
        numbers = (VERSION, self.round, self.attempt, self.incarnation)
        return digest(
            "fedtui1-ctx",
            self.federation_id,
            self.coordinator_id,
            self.purpose.encode(),
            *(number.to_bytes(8, "little") for number in numbers),
            self.model_digest,
            self.plan_hash,
            self.keystream.encode(),
        )


class RosterBody(msgspec.Struct, frozen=True, kw_only=True):
    """What the roster's hash and signature cover.

    `group` is the least members of its groups (groups.py), whose `degree` is then their own: 0.
    Without groups it is 0.
    """

    entries: tuple[RosterEntry, ...]
    colluders: int
    minimum: int
    degree: int
    group: int = 0


def body_of(roster: Roster) -> RosterBody:
    """What of a message is hashed and signed."""
    return RosterBody(
        entries=roster.entries,
        colluders=roster.colluders,
        minimum=roster.minimum,
        degree=roster.degree,
        group=roster.group,
    )


def roster_context(context: bytes, body: RosterBody) -> bytes:
    """Compute ctx2."""
    return digest("fedtui1-ctx2", context, canonical(body))


def group_context(context2: bytes, index: int) -> bytes:
    """Compute ctx2 of a group, from that of the whole roster."""
    return digest("fedtui1-ctx2g", context2, _places(index))


def included_context(context2: bytes, included: Iterable[int]) -> bytes:
    """Compute ctx3."""
    return digest("fedtui1-ctx3", context2, encode_set(included))


def keystream_of(attempt: Attempt, entries: Iterable[RosterEntry]) -> Keystream:
    """What the masks are made with: as planned, but by all processors of the roster in good time.

    ctx2 covers the entries, and each node signed its own; so nobody can be shown another answer.
    """
    return attempt.keystream if all(entry.aes for entry in entries) else "chacha20"


def graph_seed(context2: bytes) -> bytes:
    return digest("fedtui1-graph", context2)


def survivors_digest(context3: bytes, survivors: Iterable[int]) -> bytes:
    """H(U2), in its attempt."""
    return digest("fedtui1-u2", context3, encode_set(survivors))


# ---- what one node's secrets become -----------------------------------------------------------


def mask_keys(secret: int) -> KeyPair:
    """The X25519 pair of a mask secret `a`: sharing the secret shares the key."""
    return KeyPair.from_secret(digest("fedtui1-maskkey", shamir.to_bytes(secret)))


def commitment(secret: int, context: bytes) -> bytes:
    """What a node says of its self-mask secret `b` beforehand."""
    return digest("fedtui1-commit", shamir.to_bytes(secret), context)


def self_seed(secret: int, context3: bytes) -> bytes:
    return digest("fedtui1-self", shamir.to_bytes(secret), context3)


def pair_seed(shared: bytes, context3: bytes, one: int, other: int) -> bytes:
    """The seed of the mask between two positions, in either order."""
    return digest("fedtui1-mask", shared, context3, _places(min(one, other), max(one, other)))


def share_key(shared: bytes, context2: bytes, sender: int, receiver: int) -> bytes:
    """The key that seals the shares of one node for another."""
    return digest("fedtui1-share", shared, context2, _places(sender, receiver))


def share_data(context2: bytes, sender: int, receiver: int) -> bytes:
    """The associated data of sealed shares."""
    return context2 + _places(sender, receiver)


def _places(*positions: int) -> bytes:
    return b"".join(position.to_bytes(4, "little") for position in positions)


# ---- what is signed -----------------------------------------------------------------------------


def ready_statement(
    context: bytes, mask_key: bytes, share_key: bytes, commitment: bytes, aes: bool
) -> bytes:
    return digest("fedtui1-ready", context, mask_key, share_key, commitment, bytes([aes]))


def identity_of(entry: RosterEntry) -> PublicIdentity:
    """Whose entry it is; the id is computed, never read."""
    return PublicIdentity(entry.x25519, entry.ed25519)
