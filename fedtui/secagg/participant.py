"""A node's half of one attempt: advertise, share, mask, vote, reveal; it refuses every lie.

    advertise() -> Ready          after local training, with fresh secrets
    share(Roster) -> Shares       after checking who is in it, and that nobody is in it twice
    masks(Mailbox) -> Masks       after checking that enough nodes, and enough holders, are left
    vote(Survivors) -> Vote       for one survivor set and never another
    reveal(Votes) -> Reveal       of each node the share of `b` (alive) or of `a` (lost), not both

Each method is called in this order; what comes twice and is byte for byte the same gets the same
answer, and anything else that repeats or comes out of turn raises `RefusedError`: a sentence for
the operator. After a refusal of the roster or the mailbox nothing was masked, and the attempt is
over; a refusal of survivors or votes reveals nothing, and what was voted for before still counts.

Secrets live in this object only, so a node that restarts is lost to the attempt: whoever drives it
writes down the vote before it is said. They cannot be wiped in Python, but go with the object.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec
from nacl import bindings
from nacl.exceptions import CryptoError as SodiumCryptoError

from fedtui.crypto import shamir
from fedtui.crypto.keys import PublicIdentity, short_id
from fedtui.crypto.keystream import Keystream
from fedtui.errors import CryptoError, FedtuiError, LocalProtocolError, RemoteProtocolError
from fedtui.secagg import context, groups
from fedtui.secagg.context import Attempt
from fedtui.secagg.drawn import Entropy, coefficients, draw
from fedtui.secagg.graph import Graph, quorum, threshold
from fedtui.secagg.groups import Part
from fedtui.secagg.terms import Terms
from fedtui.wire import enrolment
from fedtui.wire.messages import (
    Mailbox,
    Message,
    Ready,
    Reveal,
    Roster,
    RosterEntry,
    SealedShares,
    Share,
    Shares,
    Survivors,
    Vote,
    Votes,
)

NONCE_BYTES = 24
A = TypeVar("A")


class RefusedError(FedtuiError):
    """What the coordinator says is not what an honest one would; the sentence says what."""


class Signer(Protocol):
    """The node's identity, as far as an attempt needs it (fedtui.crypto.keys.Identity)."""

    @property
    def public(self) -> PublicIdentity: ...

    def sign(self, purpose: str, message: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Masks:
    """The seeds of all masks of one vector: add those of `plus`, subtract those of `minus`."""

    plus: tuple[bytes, ...]
    minus: tuple[bytes, ...]
    keystream: Keystream = "chacha20"

    def __repr__(self) -> str:
        return f"Masks({len(self.plus)} plus, {len(self.minus)} minus)"


@dataclass(frozen=True, slots=True)
class _Known:
    """The roster as checked, as far as this node's own group goes."""

    part: Part
    ids: tuple[bytes, ...]
    graph: Graph
    threshold: int
    quorum: int
    place: int

    @property
    def entries(self) -> tuple[RosterEntry, ...]:
        return self.part.body.entries

    @property
    def context2(self) -> bytes:
        return self.part.context2


class Participant:
    """One node in one attempt."""

    def __init__(
        self,
        attempt: Attempt,
        terms: Terms,
        *,
        signer: Signer,
        coordinator: PublicIdentity,
        entropy: Entropy,
    ) -> None:
        """Draw the attempt's secrets. `entropy(n)` gives n bytes of the system's generator."""
        self.attempt = attempt
        self.terms = terms
        self.unopened: tuple[int, ...] = ()
        self._signer = signer
        self._coordinator = coordinator
        self._entropy = entropy
        self._context = attempt.context()
        self._drawn = draw(entropy)
        self._answers: dict[type[Message], tuple[bytes, object]] = {}
        self._over: RefusedError | None = None
        self._roster: _Known | None = None
        self._included: frozenset[int] = frozenset()
        self._context3 = b""
        self._survivors: frozenset[int] = frozenset()
        self._agreed: dict[int, tuple[bytes, bytes]] = {}
        self._held: dict[int, tuple[int, int]] = {}  # position -> its shares of (a, b) for us

    # ---- 2: Ready -----------------------------------------------------------------------------

    def advertise(self) -> Ready:
        """The keys of this attempt, signed; the same however often it is asked."""
        drawn, attempt = self._drawn, self.attempt
        commitment = context.commitment(drawn.own, self._context)
        keys = (drawn.masking.public, drawn.sealing.public)
        statement = context.ready_statement(self._context, *keys, commitment, self.terms.aes)
        return Ready(
            incarnation=attempt.incarnation,
            round=attempt.round,
            attempt=attempt.attempt,
            mask_key=keys[0],
            share_key=keys[1],
            commitment=commitment,
            aes=self.terms.aes,
            signature=self._signer.sign(context.READY, statement),
        )

    # ---- 3 and 4: Roster, Shares --------------------------------------------------------------

    def share(self, roster: Roster) -> Shares:
        """Check the roster, and seal a share of both secrets for every neighbour.

        Raises:
            RefusedError: see `_check_roster`.
        """
        return self._once(roster, self._share)

    def _share(self, roster: Roster) -> Shares:
        known = self._check_roster(roster)
        self._agree(known)
        self._roster = known
        holders = known.graph.holders(known.place)
        xs = [holder + 1 for holder in holders]
        degree = known.threshold - 1
        mask_shares = shamir.share(self._drawn.mask, coefficients(self._entropy, degree), xs)
        own_shares = shamir.share(self._drawn.own, coefficients(self._entropy, degree), xs)
        sealed = []
        for holder, mask_share, own_share in zip(holders, mask_shares, own_shares, strict=True):
            if holder == known.place:
                self._held[holder] = (mask_share, own_share)
            else:
                both = shamir.to_bytes(mask_share) + shamir.to_bytes(own_share)
                sealed.append(
                    SealedShares(position=holder, sealed=self._seal(known, holder, both))
                )
        return Shares(
            incarnation=roster.incarnation,
            round=roster.round,
            attempt=roster.attempt,
            sealed=tuple(sealed),
        )

    def _seal(self, known: _Known, holder: int, both: bytes) -> bytes:
        key = self._share_key(known, holder, sending=True)
        nonce = self._entropy(NONCE_BYTES)
        data = context.share_data(known.context2, known.place, holder)
        return nonce + bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(both, data, nonce, key)

    def _share_key(self, known: _Known, other: int, *, sending: bool) -> bytes:
        shared, _ = self._agreed[other]
        places = (known.place, other) if sending else (other, known.place)
        return context.share_key(shared, known.context2, *places)

    def _check_roster(self, roster: Roster) -> _Known:
        """Who is in it, by whose word, and whether the numbers are those agreed to."""
        body = context.body_of(roster)
        context2 = context.roster_context(self._context, body)
        self._check_coordinator(context.ROSTER, context2, roster.signature)
        if why := self.terms.refuse(body):
            raise RefusedError(why)
        ids = self._check_entries(roster.entries)
        place = ids.index(self._signer.public.id) if self._signer.public.id in ids else -1
        ours = _said(self.advertise())
        if place < 0 or _said(roster.entries[place]) != ours:
            raise RefusedError("the roster does not hold this node as it said it was ready")
        part = next(p for p in groups.parts(self._context, body) if place in p.positions)
        num_nodes, numbers = len(part.positions), part.body
        return _Known(
            part,
            tuple(ids[position] for position in part.positions),
            Graph(num_nodes, numbers.degree, context.graph_seed(part.context2)),
            threshold(num_nodes, numbers.colluders, numbers.degree),
            quorum(num_nodes, numbers.colluders),
            part.positions.index(place),
        )

    def _check_entries(self, entries: tuple[RosterEntry, ...]) -> tuple[bytes, ...]:
        try:
            identities = [context.identity_of(entry) for entry in entries]
        except RemoteProtocolError as error:
            raise RefusedError(f"the roster holds a broken key: {error}") from error
        ids = tuple(identity.id for identity in identities)
        if list(ids) != sorted(set(ids)):
            raise RefusedError("the roster names a node twice, or is not in order")
        for what, keys in (
            ("mask key", {entry.mask_key for entry in entries}),
            ("share key", {entry.share_key for entry in entries}),
            ("signing key", {entry.ed25519 for entry in entries}),
            ("agreement key", {entry.x25519 for entry in entries}),
        ):
            if len(keys) != len(entries):
                raise RefusedError(f"two nodes of the roster have the same {what}")
        if {entry.mask_key for entry in entries} & {entry.share_key for entry in entries}:
            raise RefusedError("a key of the roster serves two purposes")
        for entry, identity in zip(entries, identities, strict=True):
            self._check_entry(entry, identity)
        return ids

    def _check_entry(self, entry: RosterEntry, identity: PublicIdentity) -> None:
        name = f"node {short_id(identity.id)}"
        certificate = enrolment.Certificate(
            self.attempt.federation_id, identity, "participant", entry.not_before
        )
        if not enrolment.verify(self._coordinator, certificate, entry.certificate):
            raise RefusedError(f"{name} is in the roster, but not enrolled as a participant")
        statement = context.ready_statement(self._context, *_said(entry))
        if not identity.verify(context.READY, statement, entry.signature):
            raise RefusedError(
                f"{name} did not sign for this model, plan and attempt: the coordinator shows "
                "its nodes different ones, or swapped a key"
            )

    def _agree(self, known: _Known) -> None:
        """The secrets shared with every neighbour, for sealing and for masking."""
        for other in known.graph.neighbours(known.place):
            entry = known.entries[other]
            try:
                sealing = self._drawn.sealing.agree(entry.share_key)
                self._agreed[other] = (sealing, self._drawn.masking.agree(entry.mask_key))
            except CryptoError as error:
                name = f"node {short_id(known.ids[other])}"
                raise RefusedError(f"{name} has a key that is not usable: {error}") from error

    # ---- 5 and 6: Mailbox, masks --------------------------------------------------------------

    def masks(self, mailbox: Mailbox) -> Masks:
        """Check who is left, open the shares, and say which masks go onto the vector.

        Raises:
            RefusedError: too few nodes or holders are left; nothing was masked.
        """
        return self._once(mailbox, self._masks)

    def _masks(self, mailbox: Mailbox) -> Masks:
        known = self._known()
        included = self._positions(known, mailbox.included)
        context3 = context.included_context(known.context2, included)
        self._check_coordinator(context.MAILBOX, context3, mailbox.signature)
        if known.place not in included:
            raise RefusedError("the coordinator lists this node's shares as missing, and masks on")
        least = max(self.terms.minimum, known.quorum)
        if len(included) < least:
            raise RefusedError(f"only {len(included)} nodes are left, {least} are needed")
        held = self._open(known, mailbox, included) | self._held
        num_holders = sum(1 for h in known.graph.holders(known.place) if h in held)
        if num_holders < known.threshold:
            raise RefusedError(
                f"only {num_holders} holders of this node's shares are left that it can trust, "
                f"{known.threshold} are needed"
            )
        self._included, self._context3, self._held = included, context3, held
        plus = [context.self_seed(self._drawn.own, context3)]
        minus: list[bytes] = []
        for other in known.graph.neighbours(known.place):
            if other in included:
                _, shared = self._agreed[other]
                seed = context.pair_seed(shared, context3, known.place, other)
                (plus if other > known.place else minus).append(seed)
        return Masks(tuple(plus), tuple(minus), self.keystream)

    @property
    def part(self) -> Part:
        """Those of the roster at hand that this node adds up with."""
        return self._known().part

    @property
    def keystream(self) -> Keystream:
        """What the masks of the roster at hand are made with."""
        return context.keystream_of(self.attempt, self._known().entries)

    def _open(
        self, known: _Known, mailbox: Mailbox, included: frozenset[int]
    ) -> dict[int, tuple[int, int]]:
        """The shares of others that open; the rest counts as missing."""
        held = {}
        neighbours = frozenset(known.graph.neighbours(known.place))
        sealed = {one.position: one.sealed for one in mailbox.sealed}
        if len(sealed) != len(mailbox.sealed) or not set(sealed) <= neighbours & included:
            raise RefusedError("the mailbox holds shares that are not for this node")
        unopened = []
        for other in sorted(neighbours & included):
            try:
                both = self._unseal(known, other, sealed[other])
                halves = (both[: shamir.ELEMENT_BYTES], both[shamir.ELEMENT_BYTES :])
                held[other] = (shamir.from_bytes(halves[0]), shamir.from_bytes(halves[1]))
            except (KeyError, CryptoError, SodiumCryptoError):
                unopened.append(other)
        self.unopened = tuple(unopened)
        return held

    def _unseal(self, known: _Known, other: int, sealed: bytes) -> bytes:
        key = self._share_key(known, other, sending=False)
        data = context.share_data(known.context2, other, known.place)
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(rest, data, nonce, key)

    # ---- 7 and 8: Survivors, Vote -------------------------------------------------------------

    def vote(self, survivors: Survivors) -> Vote:
        """Go along with a survivor set. Write it down before it is said.

        Raises:
            RefusedError: it is not one that this node may vote for; or another one was voted for.
        """
        return self._once(survivors, self._vote)

    def _vote(self, survivors: Survivors) -> Vote:
        known = self._known()
        if not self._included:
            raise RefusedError("survivors were named before anybody was masked")
        nodes = self._positions(known, survivors.nodes)
        named = context.survivors_digest(self._context3, nodes)
        self._check_coordinator(context.SURVIVORS, named, survivors.signature)
        if not nodes <= self._included or known.place not in nodes:
            raise RefusedError("the survivors are not among those who masked together")
        least = max(self.terms.minimum, known.quorum)
        if len(nodes) < least:
            raise RefusedError(f"a sum of {len(nodes)} nodes; {least} are needed")
        self._survivors = nodes
        return Vote(
            incarnation=survivors.incarnation,
            round=survivors.round,
            attempt=survivors.attempt,
            survivors=named,
            signature=self._signer.sign(context.VOTE, named),
        )

    @property
    def sets(self) -> tuple[bytes, bytes]:
        """ctx3, which holds H(U1), and H(U2): what the journal keeps of a vote."""
        return self._context3, context.survivors_digest(self._context3, self._survivors)

    @property
    def num_survivors(self) -> int:
        """Nodes in the sum that this node voted for; 0 before."""
        return len(self._survivors)

    # ---- 9 and 10: Votes, Reveal ---------------------------------------------------------------

    def reveal(self, votes: Votes) -> Reveal:
        """Check the certificate, and give the shares that open this sum and no other one.

        Raises:
            RefusedError: too few valid votes for the set that this node voted for.
        """
        self._check_attempt(votes)
        known = self._known()
        if not self._survivors:
            raise RefusedError("a certificate came before the vote")
        # After a restart the coordinator may have gathered other votes for the same set: the
        # answer depends on the set alone.
        self._check_votes(known, votes)
        selves, masks = [], []
        for holder_of in known.graph.holders(known.place):
            if holder_of not in self._held or holder_of not in self._included:
                continue
            of_mask, of_own = self._held[holder_of]
            if holder_of in self._survivors:
                selves.append(Share(position=holder_of, share=shamir.to_bytes(of_own)))
            else:
                masks.append(Share(position=holder_of, share=shamir.to_bytes(of_mask)))
        return Reveal(
            incarnation=votes.incarnation,
            round=votes.round,
            attempt=votes.attempt,
            selves=tuple(selves),
            masks=tuple(masks),
        )

    def _check_votes(self, known: _Known, votes: Votes) -> None:
        named = self.sets[1]
        voters = set()
        for one in votes.votes:
            if one.position in self._survivors:
                identity = context.identity_of(known.entries[one.position])
                if identity.verify(context.VOTE, named, one.signature):
                    voters.add(one.position)
        if len(voters) < known.quorum:
            raise RefusedError(
                f"{len(voters)} survivors voted for this sum, {known.quorum} must: nothing is "
                "revealed"
            )

    # ---- small parts ----------------------------------------------------------------------------

    def _once(self, message: "Roster | Mailbox | Survivors", do: Callable[..., A]) -> A:
        """Answer a message once; the same one again gets the same answer, another is refused."""
        self._check_attempt(message)
        # the envelope's incarnation may rise in between: it is no part of what is agreed
        said = msgspec.msgpack.encode(msgspec.structs.replace(message, incarnation=0))
        known = self._answers.get(type(message))
        if known is not None:
            if known[0] != said:
                name = type(message).__name__.lower()
                raise RefusedError(f"the coordinator sent a second, different {name}")
            again = known[1]
            if isinstance(again, Shares | Vote) and again.incarnation != message.incarnation:
                again = msgspec.structs.replace(again, incarnation=message.incarnation)
            return again  # type: ignore[return-value]  # what `do` gave for the same message
        if self._over is not None:
            raise self._over
        try:
            answer = do(message)
        except RefusedError as error:
            if not isinstance(message, Survivors):  # what was not masked yet never is
                self._over = error
            raise
        self._answers[type(message)] = (said, answer)
        return answer

    def _check_attempt(self, message: "Roster | Mailbox | Survivors | Votes") -> None:
        if (message.round, message.attempt) != (self.attempt.round, self.attempt.attempt):
            raise LocalProtocolError("a message of another attempt")

    def _known(self) -> _Known:
        if self._roster is None:
            raise RefusedError("the coordinator skipped the roster")
        return self._roster

    def _positions(self, known: _Known, positions: Iterable[int]) -> frozenset[int]:
        """A set that came as a list: rising, and of the roster."""
        listed = list(positions)
        if listed != sorted(set(listed)) or not all(0 <= p < len(known.ids) for p in listed):
            raise RefusedError("the coordinator named nodes that are not in the roster")
        return frozenset(listed)

    def _check_coordinator(self, purpose: str, message: bytes, signature: bytes) -> None:
        if not self._coordinator.verify(purpose, message, signature):
            text = "what the coordinator sent is not signed with the key that this node trusts"
            raise RefusedError(text)


def _said(ready: Ready | RosterEntry) -> tuple[bytes, bytes, bytes, bool]:
    return ready.mask_key, ready.share_key, ready.commitment, ready.aes
