"""Attempt: what every attempt of a round has, whether its updates are visible or masked.

A cohort is offered the round, its members come and go, and what they upload is let in or refused:
by name of the attempt, size, layout and digest, and at most once for each node. A member that
comes back within its grace goes on where it was. How an attempt moves from phase to phase, and
what an update counts, its two kinds say: coordinator.py and masked.py.

Invariants, each with a test: an update counts at most once per (round, attempt, node); after the
survivors are chosen the set never changes; nobody's update is taken who did not accept.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum

from fedtui.crypto.keys import Identity, PublicIdentity
from fedtui.errors import CloseCode, LocalProtocolError
from fedtui.rounds.cohort import AWAITED, Cohort, Member, Standing
from fedtui.rounds.history import Answer, FinishedRound, shared
from fedtui.rounds.machine import (
    AcceptUpdate,
    Acknowledge,
    Aggregated,
    AggregationFailed,
    Contribution,
    CoordinatorEffect,
    CoordinatorEvent,
    Joined,
    Left,
    NodeId,
    Persist,
    RefuseUpdate,
    Said,
    Send,
    Tick,
    UpdateArrived,
    UpdateBroken,
    UpdateOpened,
)
from fedtui.rounds.picking import Terms
from fedtui.rounds.plan import Plan
from fedtui.rounds.records import (
    PhaseEntered,
    Record,
    RoundFailed,
    RoundFinished,
    RoundStarted,
    UpdateReceived,
)
from fedtui.rounds.spread import Spread
from fedtui.wire.labels import safe_label
from fedtui.wire.messages import (
    Abort,
    Accepting,
    Declining,
    FromCoordinator,
    ModelRef,
    Offer,
    Progress,
)
from fedtui.wire.texts import short_text

MAX_REASON_CELLS = 100
_AGGREGATING = "AGGREGATING"  # both kinds of attempt call this phase so


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stays the same for every round of a federation in one life of the coordinator.

    The last three are needed for masked rounds only: who signs, for which federation, and how many
    values a model has.
    """

    plan: Plan
    plan_hash: bytes
    manifest_digest: bytes
    incarnation: int
    identity: Identity | None = None
    federation_id: bytes = b""
    num_values: int = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """What masked rounds need of a node: the keys it proved, and its certificate's date."""

    keys: PublicIdentity
    not_before: int


class Attempt(ABC):
    """One attempt. `begin` starts it; `failure` or `committed` is set once it is over.

    `burnt`: the round's number can never be used again, although the attempt failed.
    """

    phase: Enum
    burnt = False

    def __init__(
        self, frame: Frame, *, number: int, attempt: int, base: ModelRef, started: float
    ) -> None:
        self.frame = frame
        self.round = number
        self.attempt = attempt
        self.base = base
        self.contributions: dict[NodeId, Contribution] = {}
        self.failure: str | None = None
        self.committed: Aggregated | None = None
        self.started = started
        self.terms = Terms()
        self._began = started
        self._cohort = Cohort(())
        self._survivors: tuple[NodeId, ...] = ()
        self._accept_until = math.inf
        self._until = math.inf

    # ---- starting -----------------------------------------------------------------------------

    def begin(self, cohort: frozenset[NodeId], now: float) -> list[CoordinatorEffect]:
        """Offer the round to the cohort."""
        if self.members or not cohort:
            raise LocalProtocolError("an attempt begins once, with at least one node")
        self._began = now
        self._accept_until = now + min(self.frame.plan.deadlines.accept_s, self._work_s)
        self._until = now + self._work_s
        self._cohort = Cohort(cohort)
        record = RoundStarted(
            self.round,
            self.attempt,
            phase=self.phase.name,
            model_digest=self.base.digest,
            cohort=tuple(self.members),
            deadline=self._until,
            incarnation=self.frame.incarnation,
        )
        return [*self._write(record), *self._tell_all(self._offer(now))]

    @property
    def _work_s(self) -> float:
        """How long the cohort may be at work."""
        within_s = self.terms.within_s
        return self.frame.plan.deadlines.update_s if within_s is None else within_s

    def _offer(self, now: float) -> FromCoordinator:
        return Offer(
            incarnation=self.frame.incarnation,
            round=self.round,
            attempt=self.attempt,
            plan_hash=self.frame.plan_hash,
            manifest_digest=self.frame.manifest_digest,
            model=self.base,
            cohort_size=len(self.members),
            accept_s=max(0.0, self._accept_until - now),
            deadline_s=max(0.0, self._until - now),
        )

    # ---- what others may ask --------------------------------------------------------------------

    @property
    def members(self) -> dict[NodeId, Member]:
        """The whole cohort, sorted by id."""
        return self._cohort.members

    @property
    def awaited(self) -> dict[NodeId, Member]:
        """Those from whom something may still come."""
        return self._cohort.awaited

    @property
    def owing(self) -> list[NodeId]:
        """Those from whom the answer of this phase is still to come, sorted."""
        return list(self.awaited)

    @property
    @abstractmethod
    def deadline(self) -> float | None:
        """When a Tick is due."""

    @property
    @abstractmethod
    def sums(self) -> dict[str, float]:
        """Training sums over the updates of this attempt, as far as they are known."""

    @property
    def survivors(self) -> tuple[NodeId, ...]:
        """The nodes whose updates are in the sum; empty until they are chosen."""
        return self._survivors

    @property
    def spread(self) -> Spread | None:
        """How unequal the weights in the sum are; None where nobody sees them."""
        return None

    @property
    def left_out(self) -> tuple[NodeId, ...]:
        """Those whom `survivors` had when they were chosen, but who are no part of the model."""
        return ()

    @property
    def answers(self) -> dict[NodeId, Answer]:
        """What is kept of the updates in the sum, by node."""
        return {node: self._answer(node) for node in self._survivors}

    def _answer(self, node: NodeId) -> Answer:
        return Answer(self.members[node].took_s)

    @property
    def num_ready(self) -> int:
        """How many nodes are in the roster of a masked attempt; 0 without masks."""
        return 0

    @property
    @abstractmethod
    def over(self) -> bool:
        """Whether it came to an end, good or bad."""

    # ---- events ---------------------------------------------------------------------------------

    def handle(self, event: CoordinatorEvent, now: float) -> list[CoordinatorEffect]:
        """Take one event, and go as far as can be gone without another one."""
        return [*self._take(event, now), *self._settle(now)]

    def abort(self, reason: str) -> list[CoordinatorEffect]:
        """Give the attempt up and tell every member that may still work on it."""
        if self.over:
            return []
        return self._fail(reason)

    @abstractmethod
    def _settle(self, now: float) -> list[CoordinatorEffect]:
        """Move on if nobody has to be waited for, or if waiting is hopeless."""

    def _take(self, event: CoordinatorEvent, now: float) -> list[CoordinatorEffect]:
        match event:
            case Joined(node=node):
                return self._on_joined(node, now)
            case Left():
                self._on_left(event, now)
            case Said():
                return self._on_said(event, now)
            case Tick():
                self._on_tick(now)
            case Aggregated() | AggregationFailed():
                return self._on_aggregation(event, now)
            case UpdateOpened() | UpdateArrived() | UpdateBroken():
                return self._on_update(event, now)
            case _:
                raise LocalProtocolError(f"{type(event).__name__} does not belong to a round")
        return []

    def _on_joined(self, node: NodeId, now: float) -> list[CoordinatorEffect]:
        if node not in self.awaited:
            return []
        self._cohort.come_back(node)
        return [Send(node, message) for message in self._again(node, now)]

    def _again(self, node: NodeId, now: float) -> list[FromCoordinator]:
        """What a member that is back is told once more."""
        del node
        return [self._offer(now)]

    def _on_left(self, event: Left, now: float) -> None:
        if event.node not in self.awaited:
            return
        if event.for_good:
            self._cohort.lose(event.node, event.why)
        else:
            self._cohort.leave(event.node, now + self.frame.plan.deadlines.rejoin_s)

    def _on_said(self, event: Said, now: float) -> list[CoordinatorEffect]:
        del now
        message = event.message
        if not isinstance(message, Accepting | Declining | Progress):
            return []
        member = self.awaited.get(event.node)
        if member is None or not self._is_current(message):
            return []
        match message:
            case Accepting():
                if member.standing is Standing.OFFERED:
                    self._cohort.stand(event.node, Standing.TRAINING)
            case Declining():
                reason = safe_label(message.reason, MAX_REASON_CELLS) or "declined"
                self._cohort.stand(event.node, Standing.DECLINED, reason)
            case Progress():
                member.stage = message.stage
                member.fraction = message.fraction
        return []

    @abstractmethod
    def _on_tick(self, now: float) -> None:
        """Lose who is late."""

    def _lose_the_away(self, now: float) -> None:
        for node, member in list(self.awaited.items()):
            if member.away_until is not None and now >= member.away_until:
                self._cohort.lose(node, "lost the connection and did not come back in time")

    # ---- updates ----------------------------------------------------------------------------

    def _on_update(
        self, event: UpdateOpened | UpdateArrived | UpdateBroken, now: float
    ) -> list[CoordinatorEffect]:
        match event:
            case UpdateOpened():
                return self._on_opened(event)
            case UpdateArrived():
                return self._on_arrived(event, now)
            case UpdateBroken():
                return self._on_broken(event)

    def _on_opened(self, event: UpdateOpened) -> list[CoordinatorEffect]:
        member = self.members.get(event.node)
        refusal = self._why_not(event, member)
        if member is None or refusal:
            return [_refuse(event, *refusal)]
        if event.node in self.contributions:
            return [Acknowledge(event.node, event.stream, event.digest)]
        misfit = self._misfit(event)
        if misfit:  # no other will come: waiting for it would only cost time
            self._cohort.lose(event.node, "its update does not fit the model")
            return [_refuse(event, CloseCode.PROTOCOL, misfit)]
        self._cohort.stand(event.node, Standing.SENDING)
        member.opened = event
        accept = AcceptUpdate(
            event.node, event.stream, self.round, self.attempt, event.num_bytes, event.digest
        )
        return [accept]

    def _why_not(
        self, event: UpdateOpened, member: Member | None
    ) -> tuple[CloseCode, str] | tuple[()]:
        """The code and sentence of a refusal, or nothing if an update is welcome."""
        if not self._is_current(event):
            return CloseCode.LIMIT, f"round {event.round} attempt {event.attempt} is over"
        if member is None or member.standing is Standing.OFFERED:
            return CloseCode.PROTOCOL, "this node did not accept to take part in this round"
        if event.node in self.contributions:
            known = self.contributions[event.node].digest == event.digest
            return () if known else (CloseCode.PROTOCOL, "another update of this node is counted")
        if member.standing not in AWAITED:
            return CloseCode.LIMIT, f"this node is out of the round: {member.reason}"
        return self._not_now(event.node)

    def _not_now(self, node: NodeId) -> tuple[CloseCode, str] | tuple[()]:
        """Whether the node must not send its update now, although it takes part."""
        del node
        return ()

    @abstractmethod
    def _misfit(self, event: UpdateOpened) -> str:
        """In which way this can be no update of this attempt; empty if it can."""

    def _on_arrived(self, event: UpdateArrived, now: float) -> list[CoordinatorEffect]:
        member = self.members.get(event.node)
        opened = member.opened if member else None
        if member is None or opened is None or not self._names_us(event):
            reason = f"round {event.round} attempt {event.attempt} is over"
            return [_refuse(event, CloseCode.LIMIT, reason)]
        if event.node in self.contributions and opened.digest == event.digest:
            return [Acknowledge(event.node, event.stream, event.digest)]
        if member.standing is not Standing.SENDING or opened.digest != event.digest:
            reason = f"too late: {member.reason or 'the round goes on without it'}"
            return [_refuse(event, CloseCode.LIMIT, reason)]
        record = self._receive(opened, now)
        return [Persist(record), Acknowledge(event.node, event.stream, event.digest)]

    @abstractmethod
    def _receive(self, opened: UpdateOpened, now: float) -> UpdateReceived:
        """Count an update that is here in full."""

    def _on_broken(self, event: UpdateBroken) -> list[CoordinatorEffect]:
        counted = event.node in self.contributions
        if event.node in self.awaited and not counted and self._names_us(event):
            self._cohort.lose(event.node, f"its update was refused: {event.reason}")
        return [_refuse(event, CloseCode.PROTOCOL, event.reason)]

    # ---- the end --------------------------------------------------------------------------------

    def _on_aggregation(
        self, event: Aggregated | AggregationFailed, now: float
    ) -> list[CoordinatorEffect]:
        """The next model is on disk, or there is none."""
        if self.phase.name != _AGGREGATING or not self._names_us(event):
            return []
        if isinstance(event, AggregationFailed):
            return self._fail(event.reason)
        self._enter_finished(event)
        return self._finish(event, now)

    @abstractmethod
    def _enter_finished(self, event: Aggregated) -> None:
        """Change the phase, and take over what `sums` needs."""

    def _finish(self, event: Aggregated, now: float) -> list[CoordinatorEffect]:
        """Keep the outcome; `sums` must be right by now."""
        self.committed = event
        record = RoundFinished(
            self.round,
            self.attempt,
            model_digest=event.model.digest,
            checkpoint_name=event.checkpoint,
            sums=self.sums,
            seconds=max(0.0, now - self.started),
            num_bytes=event.model.num_bytes,
            spread=self.spread,
            left_out=self.left_out,
            groups=event.groups,
            figures=event.figures,
        )
        return [Persist(record)]

    def finished(self, before: FinishedRound, now: float) -> FinishedRound:
        """The committed round as a restart would read it; `before` is the round before it."""
        committed = self.committed
        if committed is None:
            raise LocalProtocolError("the attempt did not make a model")
        cohort = shared(tuple(self.members), before.cohort)
        return FinishedRound(
            round=self.round,
            attempt=self.attempt,
            model_digest=committed.model.digest,
            num_bytes=committed.model.num_bytes,
            checkpoint_name=committed.checkpoint,
            cohort=cohort,
            survivors=shared(self.survivors, cohort, before.survivors),
            sums=self.sums,
            seconds=max(0.0, now - self.started),
            num_ready=self.num_ready,
            spread=self.spread,
            groups=committed.groups,
        )

    @abstractmethod
    def _enter_failed(self) -> None:
        """Change the phase."""

    def _fail(self, reason: str) -> list[CoordinatorEffect]:
        self._enter_failed()
        self.failure = reason
        abort = Abort(
            incarnation=self.frame.incarnation,
            round=self.round,
            attempt=self.attempt,
            reason=short_text(reason),
        )
        told = [
            Send(node, abort)
            for node, member in self.members.items()
            if member.standing in AWAITED or node in self.contributions
        ]
        return [*self._write(RoundFailed(self.round, self.attempt, cause=reason)), *told]

    # ---- small parts ----------------------------------------------------------------------------

    def _write(self, *records: Record) -> list[CoordinatorEffect]:
        return [Persist(record) for record in records]

    def _tell_all(self, message: FromCoordinator) -> list[CoordinatorEffect]:
        return [Send(node, message) for node in self.members]

    def _is_current(self, said: Accepting | Declining | Progress | UpdateOpened) -> bool:
        return said.incarnation == self.frame.incarnation and self._names_us(said)

    def _names_us(
        self,
        said: Accepting
        | Declining
        | Progress
        | UpdateOpened
        | UpdateArrived
        | UpdateBroken
        | Aggregated
        | AggregationFailed,
    ) -> bool:
        return (said.round, said.attempt) == (self.round, self.attempt)

    def _phase_record(self) -> PhaseEntered:
        return PhaseEntered(self.round, self.attempt, phase=self.phase.name, deadline=self._until)


def _refuse(
    event: UpdateOpened | UpdateArrived | UpdateBroken, code: CloseCode, reason: str
) -> RefuseUpdate:
    digest = b"" if isinstance(event, UpdateBroken) else event.digest
    return RefuseUpdate(event.node, event.stream, code, short_text(reason), digest)
