"""MaskedAttempt: one attempt whose updates the coordinator sees as a sum only.

    INVITING    an Offer to the cohort                  -> Accepting
    COLLECTING  nodes train                             -> Ready, with fresh keys
    SHARING     the Roster of who is ready              -> Shares, sealed node to node
    MASKING     U1 and the sealed shares (Mailbox)      -> the masked vector
    VOTING      U2, whose vectors are here (Survivors)  -> Vote
    REVEALING   the certificate (Votes)                 -> Reveal, shares that open this sum
    AGGREGATING the sum is unmasked and becomes the next model

Each phase ends as soon as everybody who is still in it has answered, or at its deadline; who has
not answered then is out of the attempt. COLLECTING ends also when as many are ready as the terms
of the attempt want, and those who are not are let go. Two phases need not wait for all: a quorum
of votes makes the certificate, and once every secret has enough shares, the rest gets a moment
only. The numbers are those of secagg/graph.py; with fewer the attempt fails with the counts in the
sentence.

Where the plan splits the cohort into groups (secagg/groups.py), each has numbers of its own from
SHARING to REVEALING: one that has too few left is dropped, its members are let go, and the attempt
goes on as long as enough groups are left (grouping.py).

Until the survivors are chosen a failure costs an attempt: the next one has fresh keys. From then
on the set is fixed for ever. If too few vote or reveal, the round's number is burnt, because nodes
that voted refuse every later attempt of it: two sums over nearly the same nodes could be
subtracted.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Set
from enum import Enum

from fedtui.errors import CloseCode, LocalProtocolError
from fedtui.rounds import grouping, masking
from fedtui.rounds.attempt import Attempt, Frame, Peer
from fedtui.rounds.cohort import Member, Standing
from fedtui.rounds.machine import CoordinatorEffect, NodeId, Said, Send
from fedtui.secagg import context
from fedtui.secagg.coordinator import Coordinator
from fedtui.secagg.grouped import Grouped
from fedtui.wire.messages import (
    Abort,
    FromCoordinator,
    FromMasker,
    ModelRef,
    Ready,
    Reveal,
    Shares,
    Vote,
)
from fedtui.wire.texts import short_text

GRACE_S = 0.5
"""How long the last survivors may still reveal when the sum can be opened without them."""


class Phase(Enum):
    """Where the attempt stands."""

    INVITING = "waiting for the cohort to accept"
    COLLECTING = "nodes train, and say when they are ready"
    SHARING = "nodes give each other sealed shares of their secrets"
    MASKING = "masked updates arrive"
    VOTING = "the survivors vote for their sum"
    REVEALING = "the survivors reveal what opens the sum"
    AGGREGATING = "the sum becomes the next model"
    FINISHED = "the next model is on disk"
    FAILED = "the attempt came to nothing"


TRANSITIONS: dict[tuple[Phase, str], Phase] = {
    (Phase.INVITING, "all answered, or accept deadline"): Phase.COLLECTING,
    (Phase.COLLECTING, "all who are left are ready, or update deadline"): Phase.SHARING,
    (Phase.SHARING, "all shares are here, or deadline"): Phase.MASKING,
    (Phase.MASKING, "all vectors are here, or deadline"): Phase.VOTING,
    (Phase.VOTING, "quorum"): Phase.REVEALING,
    (Phase.REVEALING, "enough shares of every secret"): Phase.AGGREGATING,
    (Phase.AGGREGATING, "aggregated"): Phase.FINISHED,
    (Phase.INVITING, "too few left"): Phase.FAILED,
    (Phase.COLLECTING, "too few left"): Phase.FAILED,
    (Phase.SHARING, "too few left"): Phase.FAILED,
    (Phase.MASKING, "too few left"): Phase.FAILED,
    (Phase.VOTING, "too few left"): Phase.FAILED,
    (Phase.REVEALING, "too few left"): Phase.FAILED,
    (Phase.AGGREGATING, "not usable"): Phase.FAILED,
}
_FORWARD = {(start, end) for (start, _), end in TRANSITIONS.items()}
_LATE = {
    Phase.COLLECTING: "was not ready in time",
    Phase.SHARING: "its shares came too late",
    Phase.MASKING: "its update came too late",
    Phase.VOTING: "did not vote in time",
    Phase.REVEALING: "did not reveal in time",
}
_GROUP_LOST = "too few of its group were left"
_CHOSEN = frozenset({Phase.VOTING, Phase.REVEALING, Phase.AGGREGATING})
_Short = tuple[int, int] | None
"""How many nodes of a group are left and how many it needs, if these are too few."""


def _below(num: int, needed: int) -> _Short:
    return (num, needed) if num < needed else None


class MaskedAttempt(Attempt):
    """What masked rounds and masked evaluations have in common."""

    phase: Phase
    purpose: context.Purpose = "update"

    def __init__(
        self, frame: Frame, *, number: int, attempt: int, base: ModelRef, started: float
    ) -> None:
        if frame.identity is None:
            raise LocalProtocolError("masked rounds need the coordinator's identity")
        super().__init__(frame, number=number, attempt=attempt, base=base, started=started)
        self.phase = Phase.INVITING
        self.encoding = masking.encoding(frame.plan, frame.num_values, self.purpose)
        self.numbers = masking.Numbers(invited=0, colluders=1, minimum=3)
        self._identity = frame.identity
        self._peers: dict[NodeId, Peer] = {}
        self._secret: Grouped | None = None
        self._answered: set[NodeId] = set()
        self._can_open_since: float | None = None
        self._counted = (0, 0)  # of the group that was dropped last: nodes left, and needed

    def introduce(self, peers: Mapping[NodeId, Peer]) -> None:
        """Take the keys of the cohort; before `begin`."""
        self._peers = dict(peers)

    def begin(self, cohort: frozenset[NodeId], now: float) -> list[CoordinatorEffect]:
        """Offer the round to the cohort."""
        self._prepare(len(cohort), self.frame.incarnation)
        return super().begin(cohort, now)

    def _prepare(self, num_invited: int, incarnation: int) -> Grouped:
        """The coordinator's half, by the incarnation of the Offer."""
        self.numbers = masking.numbers(self.frame.plan, num_invited, self.purpose)
        attempt = context.Attempt(
            federation_id=self.frame.federation_id,
            coordinator_id=self._identity.id,
            purpose=self.purpose,
            round=self.round,
            attempt=self.attempt,
            incarnation=incarnation,
            model_digest=self.base.digest,
            plan_hash=self.frame.plan_hash,
            keystream=self.frame.plan.privacy.keystream,
        )
        self._secret = Grouped(
            attempt,
            self._identity,
            colluders=self.numbers.colluders,
            minimum=self.numbers.minimum,
            dropouts=self.frame.plan.privacy.dropouts,
            group=self.numbers.group,
        )
        return self._secret

    @property
    def secret(self) -> Grouped:
        """The coordinator's half of the conversation."""
        if self._secret is None:
            raise LocalProtocolError("the attempt has not begun")
        return self._secret

    # ---- what others may ask --------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        if self.phase in {Phase.AGGREGATING, Phase.FINISHED, Phase.FAILED}:
            return None
        times = [self._until, *self._cohort.away_until()]
        if self.phase is Phase.INVITING:
            times.append(self._accept_until)
        if self.phase is Phase.REVEALING and self._can_open_since is not None:
            times.append(self._can_open_since + GRACE_S)
        return min(times)

    @property
    def over(self) -> bool:
        return self.phase in {Phase.FINISHED, Phase.FAILED}

    @property
    def owing(self) -> list[NodeId]:
        """Those from whom the answer of this phase is still to come, sorted."""
        return [node for node in self.awaited if node not in self._answered]

    @property
    def answered(self) -> Set[NodeId]:
        """Those who have answered in this phase."""
        return self._answered

    @property
    def num_answered(self) -> int:
        """How many have answered in this phase."""
        return len(self._answered)

    # ---- what nodes say -------------------------------------------------------------------------

    def _on_said(self, event: Said, now: float) -> list[CoordinatorEffect]:
        message = event.message
        if not isinstance(message, FromMasker):
            return super()._on_said(event, now)
        member = self.awaited.get(event.node)
        if member is None or (message.round, message.attempt) != (self.round, self.attempt):
            return []
        match message:
            case Ready() if self.phase in {Phase.INVITING, Phase.COLLECTING}:
                self._on_ready(event.node, message, member, now)
            case Shares() if self.phase is Phase.SHARING:
                self._count(event.node, self.secret.shares(event.node, message))
            case Vote() if self.phase in {Phase.VOTING, Phase.REVEALING}:
                return self._on_vote(event.node, message)
            case Reveal() if self.phase is Phase.REVEALING:
                self._count(event.node, self.secret.reveal(event.node, message))
            case _:
                return self._on_more(event.node, message)
        return []

    def _on_more(self, node: NodeId, message: FromMasker) -> list[CoordinatorEffect]:
        """Something else of the conversation, or something late."""
        del node, message
        return []

    def _on_ready(self, node: NodeId, message: Ready, member: Member, now: float) -> None:
        peer = self._peers.get(node)
        if peer is None or node in self._answered:
            return
        if member.standing is Standing.OFFERED:  # who is ready has accepted
            self._cohort.stand(node, Standing.TRAINING)
        if self.secret.ready(peer.keys, peer.not_before, message):
            self._answered.add(node)
            member.took_s = max(0.0, now - self._began)
        else:
            self._cohort.lose(node, "its keys for the round are not usable")

    def _count(self, node: NodeId, taken: bool) -> None:
        """An answer of this phase; one that is not right is the node's last word."""
        if taken:
            self._answered.add(node)
        elif node not in self._answered:
            self._cohort.lose(node, "what it sent does not belong to this round")

    def _on_vote(self, node: NodeId, message: Vote) -> list[CoordinatorEffect]:
        if not self.secret.vote(node, message):
            return []
        if self.phase is Phase.REVEALING:  # the certificate stands: this survivor may reveal too
            return [Send(node, self.secret.votes(node, self.frame.incarnation))]
        self._answered.add(node)
        return []

    def _again(self, node: NodeId, now: float) -> list[FromCoordinator]:
        secret, incarnation = self.secret, self.frame.incarnation
        match self.phase:
            case Phase.INVITING | Phase.COLLECTING if node not in self._answered:
                return [self._offer(now)]
            case Phase.SHARING if node not in self._answered:
                return [secret.roster(incarnation)]
            case Phase.MASKING if node not in self._answered:
                return [secret.mailbox(node, incarnation)]
            case Phase.VOTING if node not in self._answered:
                return [secret.survivors_message(node, incarnation)]
            case Phase.REVEALING if node not in self._answered:
                if secret.has_voted(node):
                    return [secret.votes(node, incarnation)]
                return [secret.survivors_message(node, incarnation)]
            case _:
                return []

    def _not_now(self, node: NodeId) -> tuple[CloseCode, str] | tuple[()]:
        if self.phase is not Phase.MASKING:
            return CloseCode.LIMIT, f"no masked update is taken while {self.phase.value}"
        del node
        return ()

    # ---- going on -------------------------------------------------------------------------------

    def _on_tick(self, now: float) -> None:
        self._lose_the_away(now)
        if self.phase is Phase.INVITING and now >= self._accept_until:
            for node, member in list(self.awaited.items()):
                if member.standing is Standing.OFFERED:
                    self._cohort.lose(node, "did not answer the offer in time", late=True)
        if now >= self._until and self.phase in _LATE:
            for node in list(self.awaited.keys() - self._answered):
                self._cohort.lose(node, _LATE[self.phase], late=True)

    def _settle(self, now: float) -> list[CoordinatorEffect]:
        effects: list[CoordinatorEffect] = []
        steps: dict[Phase, Callable[[float], list[CoordinatorEffect]]] = {
            Phase.INVITING: self._after_inviting,
            Phase.COLLECTING: self._after_collecting,
            Phase.SHARING: self._after_sharing,
            Phase.MASKING: self._after_masking,
            Phase.VOTING: self._after_voting,
            Phase.REVEALING: self._after_revealing,
        }
        while self.phase in steps:
            before = self.phase
            effects += steps[before](now)
            if self.phase is before:
                break
        return effects

    @property
    def _all_answered(self) -> bool:
        return not self.awaited.keys() - self._answered

    @property
    def _has_enough(self) -> bool:
        """Whether as many are ready as the terms want."""
        return self.terms.enough is not None and len(self._answered) >= self.terms.enough

    def _after_inviting(self, now: float) -> list[CoordinatorEffect]:
        if len(self.awaited) < self.numbers.roster:
            return self._too_few(len(self.awaited), self.numbers.roster)
        if self._has_enough:
            self._cohort.let_go(but=self._answered)
        if self._cohort.num_offered:
            return []
        return self._go_to(Phase.COLLECTING, self._until, now)

    def _after_collecting(self, now: float) -> list[CoordinatorEffect]:
        if len(self.awaited) < self.numbers.roster:
            return self._too_few(len(self.awaited), self.numbers.roster)
        if self._has_enough:
            self._cohort.let_go(but=self._answered)
        if not self._all_answered:
            return []
        roster = self.secret.introduce(self.frame.incarnation, self.awaited)
        until = now + self.frame.plan.deadlines.share_s
        effects = self._go_to(Phase.SHARING, until, now)
        return [*effects, *(Send(node, roster) for node in self.awaited)]

    def _after_sharing(self, now: float) -> list[CoordinatorEffect]:
        dropped = self._drop_short(lambda half: _below(len(self._left(half)), half.least))
        if self._num_short or not self._all_answered:
            return self._too_few_groups(dropped)
        self.secret.include(self.awaited)
        effects = self._go_to(Phase.MASKING, now + self.frame.plan.deadlines.mask_s, now)
        incarnation = self.frame.incarnation
        return [
            *dropped,
            *effects,
            *(Send(node, self.secret.mailbox(node, incarnation)) for node in self.awaited),
        ]

    def _after_masking(self, now: float) -> list[CoordinatorEffect]:
        """Whose vector is here is in the sum, also if it was lost since; but enough must vote."""

        def short(half: Coordinator) -> _Short:
            num_left = len(self._left(half))
            if len(self._possible(half)) < half.least or num_left < half.quorum:
                return num_left, half.least
            return None

        dropped = self._drop_short(short)
        if self._num_short or not self._all_answered:
            return self._too_few_groups(dropped)
        self._survivors = self.secret.choose(self._answered)
        chosen = self._chosen()
        effects = self._go_to(Phase.VOTING, now + self.frame.plan.deadlines.reveal_s, now)
        incarnation = self.frame.incarnation
        told = [Send(n, self.secret.survivors_message(n, incarnation)) for n in self.awaited]
        return [*dropped, *chosen, *effects, *told]

    @abstractmethod
    def _chosen(self) -> list[CoordinatorEffect]:
        """Make the survivors durable, if they must be."""

    def _after_voting(self, now: float) -> list[CoordinatorEffect]:
        secret = self.secret
        dropped = self._drop_short(lambda half: _below(len(self._possible(half)), half.quorum))
        few = any(half.num_votes < half.quorum for half in secret.groups.values())
        if self._num_short or few:
            return self._too_few_groups(dropped)
        voters = [node for node in self._survivors if secret.has_voted(node)]
        effects = self._go_to(Phase.REVEALING, self._until, now)
        incarnation = self.frame.incarnation
        told = [Send(node, secret.votes(node, incarnation)) for node in voters]
        return [*dropped, *effects, *told]

    def _after_revealing(self, now: float) -> list[CoordinatorEffect]:
        def short(half: Coordinator) -> _Short:
            possible = self._possible(half)
            if half.can_open or not (len(possible) < half.quorum or possible <= self._answered):
                return None
            return len(possible), half.quorum

        secret = self.secret
        dropped = self._drop_short(short)
        if self._num_short:
            return self._too_few_groups(dropped)
        if self._can_open_since is None and secret.can_open:
            self._can_open_since = now
        since = self._can_open_since
        if since is not None and (self._all_answered or now >= since + GRACE_S):
            return [*dropped, *self._open(now)]
        return dropped

    # ---- groups ---------------------------------------------------------------------------------

    def _left(self, half: Coordinator) -> set[NodeId]:
        """Who of a group may still answer."""
        return {node for node in half.nodes if node in self.awaited}

    def _possible(self, half: Coordinator) -> set[NodeId]:
        """Who of a group has answered, or may."""
        return self._left(half) | (self._answered & set(half.nodes))

    @property
    def _num_short(self) -> int:
        """How many groups are missing for the attempt to go on."""
        secret = self.secret
        return max(0, self._enough_groups - len(secret.groups))

    @property
    def _enough_groups(self) -> int:
        if not self.secret.group:
            return 1
        return grouping.enough(self.frame.plan, self.secret.num_groups)

    def _drop_short(self, short: Callable[[Coordinator], _Short]) -> list[CoordinatorEffect]:
        """Go on without the groups that are short of nodes; tell who is let go."""
        effects: list[CoordinatorEffect] = []
        for at, half in self.secret.groups.items():
            counted = short(half)
            if counted is None:
                continue
            self._counted = num, needed = counted
            reason = f"{num} of {len(half.nodes)} nodes of its group are left, {needed} are needed"
            members = self.secret.drop(at, f"while {self.phase.value}: {reason}")
            if not self.secret.group:
                break  # the attempt fails, and says so to everybody
            self._survivors = tuple(node for node in self._survivors if node not in members)
            for node in (n for n in members if n in self.awaited):
                self._cohort.lose(node, _GROUP_LOST)
                effects.append(Send(node, self._abort(reason)))
        return effects

    def _abort(self, reason: str) -> Abort:
        return Abort(
            incarnation=self.frame.incarnation,
            round=self.round,
            attempt=self.attempt,
            reason=short_text(reason),
        )

    def _too_few_groups(self, dropped: list[CoordinatorEffect]) -> list[CoordinatorEffect]:
        """The end, if too few groups are left."""
        if not self._num_short:
            return dropped
        secret = self.secret
        if not secret.group:
            return self._too_few(*self._counted)
        needed = self._enough_groups
        return [
            *dropped,
            *self._fail(
                f"while {self.phase.value}: {len(secret.groups)} of {secret.num_groups} groups "
                f"were left, {needed} are needed ({self._cohort.reasons()})"
            ),
        ]

    @abstractmethod
    def _open(self, now: float) -> list[CoordinatorEffect]:
        """Unmask the sum: every secret has enough shares."""

    # ---- small parts ----------------------------------------------------------------------------

    def _too_few(self, num: int, needed: int) -> list[CoordinatorEffect]:
        verb = "were left" if self.phase not in _CHOSEN else "answered"
        return self._fail(
            f"while {self.phase.value}: {num} of {len(self.members)} nodes {verb}, {needed} are "
            f"needed ({self._cohort.reasons()})"
        )

    def _go_to(self, phase: Phase, until: float, now: float) -> list[CoordinatorEffect]:
        del now
        self._enter(phase)
        self._until = until
        if phase is not Phase.COLLECTING:
            self._answered = set()
        return self._write(self._phase_record())

    def _enter_failed(self) -> None:
        self.burnt = self.phase in _CHOSEN
        self._enter(Phase.FAILED)

    def _enter(self, phase: Phase) -> None:
        if (self.phase, phase) not in _FORWARD:
            raise LocalProtocolError(f"no way from {self.phase.name} to {phase.name}")
        self.phase = phase
        self._until = self._until if phase is not Phase.FAILED else math.inf
