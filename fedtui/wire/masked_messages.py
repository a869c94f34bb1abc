"""The messages of a masked round, from Ready to Reveal; see fedtui/secagg for what they are for.

Nodes are named by their position in the roster.
"""

from typing import Annotated

import msgspec

from fedtui.wire.fields import (
    Count,
    Digest,
    Id,
    Message,
    Position,
    Positions,
    RoundNumber,
    Signature,
)


class Ready(Message, frozen=True, kw_only=True):
    """The node's work is done, and these are its keys for this attempt (secagg/participant.py).

    `base` is the round that its update was trained in: this one, or one before, if it is late.
    """

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    mask_key: Id
    share_key: Id
    commitment: Digest
    base: RoundNumber
    aes: bool = False  # its processor has AES instructions
    signature: Signature


class RosterEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node of the roster: who it is, why it belongs here, and the keys it said Ready with."""

    x25519: Id
    ed25519: Id
    not_before: Count
    certificate: Signature
    mask_key: Id
    share_key: Id
    commitment: Digest
    base: RoundNumber
    aes: bool = False
    signature: Signature


class Roster(Message, frozen=True, kw_only=True):
    """Whose updates may be in the sum, by rising id, and the numbers of graph.py, groups.py."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    entries: Annotated[tuple[RosterEntry, ...], msgspec.Meta(max_length=2**16)]
    colluders: Position
    minimum: Position
    degree: Position
    group: Position = 0
    signature: Signature


class SealedShares(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Both shares for, or from, the node at `position`; only the two of them can open it."""

    position: Position
    sealed: Annotated[bytes, msgspec.Meta(min_length=104, max_length=104)]


SealedForAll = Annotated[tuple[SealedShares, ...], msgspec.Meta(max_length=2**16)]


class Shares(Message, frozen=True, kw_only=True):
    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    sealed: SealedForAll


class Mailbox(Message, frozen=True, kw_only=True):
    """Whose shares arrived (U1, the same list for all), and the shares for this node."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    included: Positions
    sealed: SealedForAll
    signature: Signature


class Survivors(Message, frozen=True, kw_only=True):
    """Whose vectors are in the sum (U2), for ever."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    nodes: Positions
    signature: Signature


class Vote(Message, frozen=True, kw_only=True):
    """The node goes along with exactly this survivor set, and never with another one."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    survivors: Digest
    signature: Signature


class CountedVote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    position: Position
    signature: Signature


class Votes(Message, frozen=True, kw_only=True):
    """The certificate: enough survivors voted for the set that the node voted for."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    votes: Annotated[tuple[CountedVote, ...], msgspec.Meta(max_length=2**16)]


class MaskedSums(Message, frozen=True, kw_only=True):
    """The masked vector of an evaluation: words, little-endian."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    words: Annotated[bytes, msgspec.Meta(max_length=8192)]


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share of a secret of the node at `position`."""

    position: Position
    share: Id

    def __repr__(self) -> str:
        return f"Share(of {self.position})"


class Reveal(Message, frozen=True, kw_only=True):
    """Shares of the self masks of survivors, and of the mask keys of who was lost; never both."""

    incarnation: Count
    round: RoundNumber
    attempt: RoundNumber
    selves: Annotated[tuple[Share, ...], msgspec.Meta(max_length=2**16)]
    masks: Annotated[tuple[Share, ...], msgspec.Meta(max_length=2**16)]


FromMasker = Ready | Shares | MaskedSums | Vote | Reveal
ToMasker = Roster | Mailbox | Survivors | Votes
