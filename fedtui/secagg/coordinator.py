"""The coordinator's half of one attempt: relay, choose, certify, and unmask the sum.

    ready() of each node   -> introduce() -> Roster
    shares() of each       -> include(), mailbox() -> Mailbox for each node of U1
    choose(survivors)      -> Survivors
    vote() of each         -> votes() -> Votes, once enough survivors voted
    reveal() of each       -> unmasking() -> Unmasking: the seeds that open the sum, no others

It never holds a vector. What a node says wrong, late or twice is dropped (the answer is False) and
costs nobody else anything; a secret that comes out wrong is tried with other shares, and holders
whose shares do not lie on the right polynomial are named.

`frozen()` is what must be durable once the survivors are chosen; `thaw` goes on from it in another
life of the coordinator: votes and reveals are asked for again, and nodes repeat their answers.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, islice

import msgspec

from fedtui.crypto import shamir
from fedtui.crypto.keys import Identity, KeyPair, PublicIdentity
from fedtui.crypto.keystream import Keystream
from fedtui.errors import CryptoError, FedtuiError, LocalProtocolError
from fedtui.secagg import context
from fedtui.secagg.context import Attempt, RosterBody
from fedtui.secagg.graph import Graph, degree, quorum, threshold
from fedtui.secagg.groups import Part
from fedtui.wire import enrolment
from fedtui.wire.messages import (
    CountedVote,
    Mailbox,
    Ready,
    Reveal,
    Roster,
    RosterEntry,
    SealedShares,
    Shares,
    Survivors,
    Vote,
    Votes,
)

MAX_TRIES = 2000
"""Subsets of shares tried per secret before it counts as lost."""


class LostError(FedtuiError):
    """The sum cannot be opened; the sentence says what was missing."""


@dataclass(frozen=True, slots=True)
class Unmasking:
    """What opens the sum of the survivors' vectors: subtract `minus`, add `plus`.

    `liars` are positions whose shares were wrong although the secrets were found.
    """

    num_survivors: int
    plus: tuple[bytes, ...]
    minus: tuple[bytes, ...]
    liars: tuple[int, ...] = ()
    keystream: Keystream = "chacha20"

    def __repr__(self) -> str:
        return f"Unmasking({self.num_survivors} survivors)"


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """The roster, who is in U1 and who in U2: enough to finish the attempt after a restart."""

    body: RosterBody
    included: tuple[int, ...]
    survivors: tuple[int, ...]


@dataclass(slots=True)
class _Said:
    """What was heard so far, by position."""

    shares: dict[int, dict[int, bytes]] = field(default_factory=dict)
    votes: dict[int, bytes] = field(default_factory=dict)
    selves: dict[int, dict[int, int]] = field(default_factory=dict)  # of -> holder -> share
    masks: dict[int, dict[int, int]] = field(default_factory=dict)
    revealed: set[int] = field(default_factory=set)


class Coordinator:
    """One attempt. `dropouts` is how many of the roster the plan expects to lose."""

    def __init__(
        self,
        attempt: Attempt,
        identity: Identity,
        *,
        colluders: int,
        minimum: int,
        dropouts: int = 0,
    ) -> None:
        self.attempt = attempt
        self.colluders = colluders
        self.minimum = minimum
        self.included: tuple[int, ...] = ()
        self.survivors: tuple[int, ...] = ()
        self._identity = identity
        self._dropouts = dropouts
        self._context = attempt.context()
        self._probe = KeyPair.from_secret(b"\x01" * 32)  # any key finds one of low order
        self._ready: dict[bytes, RosterEntry] = {}
        self._body: RosterBody | None = None
        self._ids: tuple[bytes, ...] = ()
        self._place: dict[bytes, int] = {}
        self.context2 = self._context3 = b""
        self._said = _Said()

    # ---- Ready, Roster ------------------------------------------------------------------------

    @property
    def num_ready(self) -> int:
        return len(self._ready)

    def ready(self, node: PublicIdentity, not_before: int, message: Ready) -> bool:
        """Take a node's keys; False for keys or a signature that no other node would take."""
        if self._body is not None or node.id in self._ready:
            return False
        keys = (message.mask_key, message.share_key, message.commitment)
        statement = context.ready_statement(self._context, *keys, message.aes)
        taken = {
            key
            for e in self._ready.values()
            for key in (e.mask_key, e.share_key, e.x25519, e.ed25519)
        }
        ours = {*keys[:2], node.x25519_public, node.ed25519_public}
        reused = taken & ours or keys[0] == keys[1]
        if reused or not node.verify(context.READY, statement, message.signature):
            return False
        try:
            for key in keys[:2]:
                self._probe.agree(key)
        except CryptoError:
            return False
        certificate = enrolment.Certificate(
            self.attempt.federation_id, node, "participant", not_before
        )
        self._ready[node.id] = RosterEntry(
            x25519=node.x25519_public,
            ed25519=node.ed25519_public,
            not_before=not_before,
            certificate=enrolment.enrol(self._identity, certificate).signature,
            mask_key=message.mask_key,
            share_key=message.share_key,
            commitment=message.commitment,
            aes=message.aes,
            signature=message.signature,
        )
        return True

    def introduce(
        self, incarnation: int, nodes: Iterable[bytes] | None = None, *, group: int = 0
    ) -> Roster:
        """Freeze the roster: those of `nodes` (default: all) who are ready now.

        With `group` it is split (groups.py), and `take` makes the halves of the parts.
        """
        if self._body is not None:
            raise LocalProtocolError("a roster is made once")
        chosen = sorted(self._ready if nodes is None else self._ready.keys() & set(nodes))
        num, lost = len(chosen), min(self._dropouts, len(chosen) - 1)
        body = RosterBody(
            entries=tuple(self._ready[node] for node in chosen),
            colluders=self.colluders,
            minimum=self.minimum,
            degree=0 if group else degree(num, self.colluders, lost),
            group=group,
        )
        self._use(body, context.roster_context(self._context, body))
        return self.roster(incarnation)

    def take(self, part: Part) -> None:
        """Go on with a group of a roster, in an object of its own."""
        self._use(part.body, part.context2)

    def roster(self, incarnation: int) -> Roster:
        body = self._known()
        return Roster(
            incarnation=incarnation,
            round=self.attempt.round,
            attempt=self.attempt.attempt,
            entries=body.entries,
            colluders=body.colluders,
            minimum=body.minimum,
            degree=body.degree,
            group=body.group,
            signature=self._identity.sign(context.ROSTER, self.context2),
        )

    def _use(self, body: RosterBody, context2: bytes) -> None:
        num_nodes = len(body.entries)
        self._body = body
        self._ids = tuple(context.identity_of(entry).id for entry in body.entries)
        self._place = {node: place for place, node in enumerate(self._ids)}
        self.context2 = context2
        if body.group:  # each of its groups is a cohort of its own
            return
        self._graph = Graph(num_nodes, body.degree, context.graph_seed(self.context2))
        self.threshold = threshold(num_nodes, body.colluders, body.degree)
        self.quorum = quorum(num_nodes, body.colluders)

    @property
    def least(self) -> int:
        """How many nodes a sum needs."""
        return max(self.minimum, self.quorum)

    @property
    def nodes(self) -> tuple[bytes, ...]:
        """Whose roster it is, in its order."""
        return self._ids

    @property
    def body(self) -> RosterBody:
        """The roster."""
        return self._known()

    def ids(self, positions: Iterable[int]) -> tuple[bytes, ...]:
        return tuple(self._ids[position] for position in positions)

    # ---- Shares, Mailbox ----------------------------------------------------------------------

    def shares(self, node: bytes, message: Shares) -> bool:
        """Take a node's sealed shares: one for each neighbour, or none count."""
        place = self._place.get(node)
        if place is None or place in self._said.shares or self.included:
            return False
        sealed = {one.position: one.sealed for one in message.sealed}
        whole = tuple(one.position for one in message.sealed) == self._graph.neighbours(place)
        if whole:
            self._said.shares[place] = sealed
        return whole

    @property
    def num_shared(self) -> int:
        return len(self._said.shares)

    def include(self, nodes: Iterable[bytes] | None = None) -> tuple[int, ...]:
        """Fix U1: those of `nodes` (default: all) whose shares are all here."""
        if self.included:
            raise LocalProtocolError("U1 is fixed once")
        places = {self._place[n] for n in (self._ids if nodes is None else nodes)}
        self.included = tuple(sorted(self._said.shares.keys() & places))
        self._context3 = context.included_context(self.context2, self.included)
        return self.included

    def mailbox(self, node: bytes, incarnation: int) -> Mailbox:
        """What a node of U1 is told."""
        place = self._place[node]
        included = set(self.included)
        senders = [p for p in self._graph.neighbours(place) if p in included]
        return Mailbox(
            incarnation=incarnation,
            round=self.attempt.round,
            attempt=self.attempt.attempt,
            included=self.included,
            sealed=tuple(
                SealedShares(position=p, sealed=self._said.shares[p][place]) for p in senders
            ),
            signature=self._identity.sign(context.MAILBOX, self._context3),
        )

    # ---- Survivors, Vote, Votes ---------------------------------------------------------------

    def choose(self, nodes: Iterable[bytes]) -> tuple[int, ...]:
        """Fix U2: those of U1 whose vectors are whole and durable."""
        if self.survivors:
            raise LocalProtocolError("U2 is fixed once")
        chosen = tuple(sorted(self._place[node] for node in nodes))
        if not set(chosen) <= set(self.included):
            raise LocalProtocolError("a survivor was not in U1")
        self.survivors = chosen
        return chosen

    def survivors_message(self, incarnation: int) -> Survivors:
        return Survivors(
            incarnation=incarnation,
            round=self.attempt.round,
            attempt=self.attempt.attempt,
            nodes=self.survivors,
            signature=self._identity.sign(context.SURVIVORS, self._named),
        )

    @property
    def _named(self) -> bytes:
        return context.survivors_digest(self._context3, self.survivors)

    def vote(self, node: bytes, message: Vote) -> bool:
        """Count a survivor's vote; False if it is for another set or not its own."""
        place = self._place.get(node, -1)
        if place not in self.survivors or place in self._said.votes:
            return False
        identity = context.identity_of(self._known().entries[place])
        right = message.survivors == self._named and identity.verify(
            context.VOTE, self._named, message.signature
        )
        if right:
            self._said.votes[place] = message.signature
        return right

    def has_voted(self, node: bytes) -> bool:
        return self._place.get(node, -1) in self._said.votes

    @property
    def num_votes(self) -> int:
        return len(self._said.votes)

    def votes(self, incarnation: int) -> Votes:
        """The certificate, of all votes so far."""
        return Votes(
            incarnation=incarnation,
            round=self.attempt.round,
            attempt=self.attempt.attempt,
            votes=tuple(
                CountedVote(position=place, signature=signature)
                for place, signature in sorted(self._said.votes.items())
            ),
        )

    # ---- Reveal, unmasking --------------------------------------------------------------------

    def reveal(self, node: bytes, message: Reveal) -> bool:
        """Take a survivor's shares; False for what it cannot hold, or says twice."""
        place = self._place.get(node, -1)
        if place not in self.survivors or place in self._said.revealed:
            return False
        holds = set(self._graph.holders(place)) & set(self.included)
        survivors = set(self.survivors)
        try:
            selves = {one.position: shamir.from_bytes(one.share) for one in message.selves}
            masks = {one.position: shamir.from_bytes(one.share) for one in message.masks}
        except CryptoError:
            return False
        twice = len(selves) < len(message.selves) or len(masks) < len(message.masks)
        if twice or not (set(selves) <= holds & survivors and set(masks) <= holds - survivors):
            return False
        self._said.revealed.add(place)
        for shares, said in ((selves, self._said.selves), (masks, self._said.masks)):
            for of, share in shares.items():
                said.setdefault(of, {})[place] = share
        return True

    @property
    def revealed(self) -> tuple[int, ...]:
        """Whose shares are here."""
        return tuple(sorted(self._said.revealed))

    @property
    def can_open(self) -> bool:
        """Whether every secret that the sum needs has enough shares."""
        return not self.short

    @property
    def short(self) -> tuple[int, ...]:
        """Positions of whose secret too few shares are here."""
        said, lost = self._said, set(self.included) - set(self.survivors)
        return tuple(
            place
            for places, shares in ((self.survivors, said.selves), (sorted(lost), said.masks))
            for place in places
            if len(shares.get(place, ())) < self.threshold and self._matters(place)
        )

    def _matters(self, place: int) -> bool:
        """A lost node whose neighbours were all lost with it left no mask in the sum."""
        survivors = set(self.survivors)
        return place in survivors or bool(survivors & set(self._graph.neighbours(place)))

    def unmasking(self) -> Unmasking:
        """Recover the secrets. Slow for many lost nodes: run it in a thread.

        Raises:
            LostError: too few shares, or too few right ones, of a secret.
        """
        survivors, opener = set(self.survivors), _Opener(self.threshold)
        plus: list[bytes] = []
        minus: list[bytes] = []
        for place in self.survivors:
            own = opener.open(place, self._said.selves.get(place, {}), self._is_own(place))
            minus.append(context.self_seed(own, self._context3))
        for lost in (p for p in self.included if p not in survivors and self._matters(p)):
            mask = opener.open(lost, self._said.masks.get(lost, {}), self._is_mask(lost))
            keys = context.mask_keys(mask)
            for other in self._graph.neighbours(lost):
                if other in survivors:
                    shared = keys.agree(self._known().entries[other].mask_key)
                    seed = context.pair_seed(shared, self._context3, lost, other)
                    # `other` added it if the lost node is higher, subtracted it if lower
                    (minus if lost > other else plus).append(seed)
        keystream = context.keystream_of(self.attempt, self._known().entries)
        liars = tuple(sorted(opener.liars))
        return Unmasking(len(survivors), tuple(plus), tuple(minus), liars, keystream)

    def _is_own(self, place: int) -> Callable[[int], bool]:
        committed = self._known().entries[place].commitment
        return lambda secret: context.commitment(secret, self._context) == committed

    def _is_mask(self, place: int) -> Callable[[int], bool]:
        key = self._known().entries[place].mask_key
        return lambda secret: context.mask_keys(secret).public == key

    # ---- another life -------------------------------------------------------------------------

    def frozen(self) -> Frozen:
        """What to make durable with the survivors."""
        return Frozen(body=self._known(), included=self.included, survivors=self.survivors)

    def thaw(self, frozen: Frozen) -> None:
        """Go on from what a former life froze, in a fresh object of the same attempt."""
        self._use(frozen.body, context.roster_context(self._context, frozen.body))
        self.fix(frozen.included, frozen.survivors)

    def fix(self, included: tuple[int, ...], survivors: tuple[int, ...]) -> None:
        """Take U1 and U2 from a former life."""
        self.included, self.survivors = included, survivors
        self._context3 = context.included_context(self.context2, self.included)

    def _known(self) -> RosterBody:
        if self._body is None:
            raise LocalProtocolError("there is no roster yet")
        return self._body


class _Opener:
    """Finds secrets from shares of which some may be wrong."""

    def __init__(self, threshold: int) -> None:
        self.liars: set[int] = set()
        self._threshold = threshold
        self._recoveries: dict[tuple[int, ...], shamir.Recovery] = {}

    def open(self, of: int, shares: Mapping[int, int], is_right: Callable[[int], bool]) -> int:
        """The secret that `is_right`, from the shares of `of` by holder; names who lied.

        Lies can cancel, so that wrong shares give the right secret. Two polynomials through the
        same secret miss at least m - t + 2 of m shares together; so one that misses at most half
        as many is that of the honest holders, and otherwise the nearest one found is, unless
        another is as near: then nobody is named.
        """
        by_x = {holder + 1: share for holder, share in shares.items()}
        trusted = sorted(by_x, key=lambda x: (x - 1 in self.liars, x))
        if len(by_x) < self._threshold:
            raise LostError(f"{len(by_x)} shares of a secret came, {self._threshold} are needed")
        best: tuple[int, frozenset[int]] | None = None
        tied = False
        for xs in islice(self._subsets(trusted), MAX_TRIES):
            secret = self._try(xs, by_x)
            if not is_right(secret):
                continue
            if xs == tuple(trusted[: self._threshold]):
                return secret
            wrong = frozenset(x for x in by_x if x not in xs and self._is_off(x, xs, by_x))
            tied = best is not None and len(wrong) == len(best[1]) and wrong != best[1]
            if best is None or len(wrong) < len(best[1]):
                best = secret, wrong
            if 2 * len(best[1]) <= len(by_x) - self._threshold + 1:
                break
        if best is None:
            raise LostError(f"the shares of position {of} do not give what it committed to")
        if not tied:
            self.liars |= {x - 1 for x in best[1]}
        return best[0]

    def _try(self, xs: tuple[int, ...], by_x: Mapping[int, int]) -> int:
        if xs not in self._recoveries:
            self._recoveries[xs] = shamir.Recovery(xs)
        return self._recoveries[xs].value(by_x)

    def _subsets(self, xs: list[int]) -> Iterator[tuple[int, ...]]:
        """Enough places without one suspect, then without any two, and so on; each set once."""
        seen = set()
        for num_suspects in range(len(xs) - self._threshold + 1):
            for suspects in combinations(xs, num_suspects):
                chosen = tuple(x for x in xs if x not in suspects)[: self._threshold]
                if chosen not in seen:
                    seen.add(chosen)
                    yield chosen

    @staticmethod
    def _is_off(x: int, xs: tuple[int, ...], by_x: Mapping[int, int]) -> bool:
        """Whether the share at x is not on the polynomial through those at xs."""
        return shamir.Recovery(xs, at=x).value(by_x) != by_x[x]
