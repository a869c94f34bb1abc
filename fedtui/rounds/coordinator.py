"""RoundCoordinator: one attempt of one round as the coordinator sees it.

An Offer goes to every member of the cohort. Who accepts trains at once; who declines, stays silent
until the accept deadline, leaves for longer than the grace, or is late with its update is left
behind. As soon as nobody is awaited any more the attempt closes: enough updates are aggregated,
too few fail the attempt and the federation starts the next one. A member that comes back within
its grace is offered the same attempt again and goes on where it was.

Invariants, each with a test: an update counts at most once per (round, attempt, node); after the
survivors are chosen the set never changes; nobody's update is taken who did not accept.
"""

import math
from dataclasses import dataclass
from enum import Enum

from fedtui.errors import CloseCode, LocalProtocolError
from fedtui.rounds.cohort import AWAITED, Cohort, Member, Standing
from fedtui.rounds.history import OpenAttempt
from fedtui.rounds.machine import (
    AcceptUpdate,
    Acknowledge,
    Aggregate,
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
from fedtui.rounds.plan import Plan
from fedtui.rounds.records import (
    PhaseEntered,
    RoundFailed,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)
from fedtui.rounds.sums import total, training_sums
from fedtui.wire.labels import safe_label
from fedtui.wire.messages import Abort, Accepting, Declining, ModelRef, Offer, Progress
from fedtui.wire.texts import short_text

MAX_REASON_CELLS = 100


class Phase(Enum):
    """Where the attempt stands."""

    INVITING = "waiting for the cohort to accept"
    COLLECTING = "nodes train and send their updates"
    AGGREGATING = "the updates become the next model"
    FINISHED = "the next model is on disk"
    FAILED = "the attempt came to nothing"


TRANSITIONS: dict[tuple[Phase, str], Phase] = {
    (Phase.INVITING, "all answered, or accept deadline"): Phase.COLLECTING,
    (Phase.INVITING, "too few left"): Phase.FAILED,
    (
        Phase.COLLECTING,
        "nobody awaited, or update deadline, and enough updates",
    ): Phase.AGGREGATING,
    (Phase.COLLECTING, "too few left"): Phase.FAILED,
    (Phase.AGGREGATING, "aggregated"): Phase.FINISHED,
    (Phase.AGGREGATING, "not usable"): Phase.FAILED,
}
_FORWARD = {(start, end) for (start, _), end in TRANSITIONS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stays the same for every round of a federation in one life of the coordinator."""

    plan: Plan
    plan_hash: bytes
    manifest_digest: bytes
    incarnation: int


class RoundCoordinator:
    """One attempt. `begin` starts it; `failure` or `committed` is set once it is over."""

    def __init__(
        self, frame: Frame, *, number: int, attempt: int, base: ModelRef, started: float
    ) -> None:
        self.frame = frame
        self.round = number
        self.attempt = attempt
        self.base = base
        self.phase = Phase.INVITING
        self._cohort = Cohort(())
        self.contributions: dict[NodeId, Contribution] = {}
        self._sums: dict[NodeId, dict[str, float]] = {}
        self.failure: str | None = None
        self.committed: Aggregated | None = None
        self._survivors: tuple[NodeId, ...] = ()
        self.started = started
        self._accept_until = math.inf
        self._update_until = math.inf

    # ---- starting -----------------------------------------------------------------------------

    def begin(self, cohort: frozenset[NodeId], now: float) -> list[CoordinatorEffect]:
        """Offer the round to the cohort."""
        if self.members or not cohort:
            raise LocalProtocolError("an attempt begins once, with at least one node")
        deadlines = self.frame.plan.deadlines
        self._accept_until = now + deadlines.accept_s
        self._update_until = now + deadlines.update_s
        self._cohort = Cohort(cohort)
        record = RoundStarted(
            self.round,
            self.attempt,
            phase=self.phase.name,
            model_digest=self.base.digest,
            cohort=tuple(self.members),
            deadline=self._update_until,
            incarnation=self.frame.incarnation,
        )
        offer = self._offer(now)
        return [Persist(record), *(Send(node, offer) for node in self.members)]

    def resume(self, attempt: OpenAttempt) -> list[CoordinatorEffect]:
        """Finish an attempt whose survivors were chosen before the coordinator went down."""
        if attempt.survivors is None:
            raise LocalProtocolError("only an attempt with survivors can be resumed")
        self._cohort = Cohort(attempt.cohort)
        for node in attempt.cohort:
            self._cohort.lose(node, "the coordinator was restarted")
        for update in attempt.updates:
            if update.node in attempt.survivors:
                self._cohort.stand(update.node, Standing.DELIVERED)
                weight = round(update.weight or 0)
                self.contributions[update.node] = Contribution(update.node, update.digest, weight)
                self._sums[update.node] = update.sums
        self.phase = Phase.AGGREGATING
        self._survivors = attempt.survivors
        return [self._aggregate()]

    # ---- what others may ask --------------------------------------------------------------------

    @property
    def members(self) -> dict[NodeId, Member]:
        """The whole cohort, sorted by id."""
        return self._cohort.members

    @property
    def awaited(self) -> dict[NodeId, Member]:
        """Those from whom an update may still come."""
        return self._cohort.awaited

    @property
    def deadline(self) -> float | None:
        if self.phase not in {Phase.INVITING, Phase.COLLECTING}:
            return None
        times = [self._update_until, *self._cohort.away_until()]
        if self.phase is Phase.INVITING:
            times.append(self._accept_until)
        return min(times)

    @property
    def sums(self) -> dict[str, float]:
        """Training sums over the updates received so far."""
        return total(self._sums.values())

    @property
    def survivors(self) -> tuple[NodeId, ...]:
        """The nodes whose updates are in the sum; empty until they are chosen."""
        return self._survivors

    @property
    def over(self) -> bool:
        return self.phase in {Phase.FINISHED, Phase.FAILED}

    # ---- events ---------------------------------------------------------------------------------

    def handle(self, event: CoordinatorEvent, now: float) -> list[CoordinatorEffect]:
        """Take one event; see the module's first lines for what comes of it."""
        effects = self._take(event, now)
        if self.phase in {Phase.INVITING, Phase.COLLECTING}:
            effects += self._settle()
        return effects

    def abort(self, reason: str) -> list[CoordinatorEffect]:
        """Give the attempt up and tell every member that may still work on it."""
        if self.over:
            return []
        return self._fail(reason)

    def _take(self, event: CoordinatorEvent, now: float) -> list[CoordinatorEffect]:
        match event:
            case Joined(node=node):
                return self._on_joined(node, now)
            case Left():
                self._on_left(event, now)
            case Said():
                self._on_said(event)
            case Tick():
                self._on_tick(now)
            case Aggregated() | AggregationFailed():
                return self._on_aggregation(event, now)
            case UpdateOpened() | UpdateArrived() | UpdateBroken():
                return self._on_update(event)
            case _:
                raise LocalProtocolError(f"{type(event).__name__} does not belong to a round")
        return []

    def _on_update(
        self, event: UpdateOpened | UpdateArrived | UpdateBroken
    ) -> list[CoordinatorEffect]:
        match event:
            case UpdateOpened():
                return self._on_opened(event)
            case UpdateArrived():
                return self._on_arrived(event)
            case UpdateBroken():
                return self._on_broken(event)

    def _on_joined(self, node: NodeId, now: float) -> list[CoordinatorEffect]:
        if node not in self.awaited:
            return []
        self._cohort.come_back(node)
        return [Send(node, self._offer(now))]

    def _on_left(self, event: Left, now: float) -> None:
        if event.node not in self.awaited:
            return
        if event.for_good:
            self._cohort.lose(event.node, "left the federation")
        else:
            self._cohort.leave(event.node, now + self.frame.plan.deadlines.rejoin_s)

    def _on_said(self, event: Said) -> None:
        message = event.message
        if not isinstance(message, Accepting | Declining | Progress):
            return
        member = self.awaited.get(event.node)
        if member is None or not self._is_current(message):
            return
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

    def _on_opened(self, event: UpdateOpened) -> list[CoordinatorEffect]:
        member = self.members.get(event.node)
        refusal = self._why_not(event, member)
        if member is None or refusal:
            return [_refuse(event, *refusal)]
        if member.standing is Standing.DELIVERED:
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
        if member.standing is Standing.DELIVERED:
            known = self.contributions[event.node].digest == event.digest
            return () if known else (CloseCode.PROTOCOL, "another update of this node is counted")
        if member.standing not in AWAITED:
            return CloseCode.LIMIT, f"this node is out of the round: {member.reason}"
        return ()

    def _misfit(self, event: UpdateOpened) -> str:
        right = (self.base.num_bytes, self.frame.manifest_digest)
        if (event.num_bytes, event.manifest_digest) == right:
            return ""
        return (
            f"an update has {self.base.num_bytes} bytes in the layout of the plan's model; "
            f"{event.num_bytes} were offered"
        )

    def _on_arrived(self, event: UpdateArrived) -> list[CoordinatorEffect]:
        member = self.members.get(event.node)
        opened = member.opened if member else None
        if member is None or opened is None or not self._names_us(event):
            reason = f"round {event.round} attempt {event.attempt} is over"
            return [_refuse(event, CloseCode.LIMIT, reason)]
        if member.standing is Standing.DELIVERED and opened.digest == event.digest:
            return [Acknowledge(event.node, event.stream, event.digest)]
        if member.standing is not Standing.SENDING or opened.digest != event.digest:
            reason = f"too late: {member.reason or 'the round goes on without it'}"
            return [_refuse(event, CloseCode.LIMIT, reason)]
        self._cohort.stand(event.node, Standing.DELIVERED)
        weight = self._weight(opened.header.num_examples)
        self.contributions[event.node] = Contribution(event.node, event.digest, weight)
        sums = self._sums[event.node] = training_sums(opened.header.sums)
        record = UpdateReceived(
            self.round,
            self.attempt,
            node=event.node,
            digest=event.digest,
            num_bytes=opened.num_bytes,
            weight=float(weight),
            sums=sums,
        )
        return [Persist(record), Acknowledge(event.node, event.stream, event.digest)]

    def _on_broken(self, event: UpdateBroken) -> list[CoordinatorEffect]:
        if event.node in self.awaited and self._names_us(event):
            self._cohort.lose(event.node, f"its update was refused: {event.reason}")
        return [_refuse(event, CloseCode.PROTOCOL, event.reason)]

    def _on_aggregation(
        self, event: Aggregated | AggregationFailed, now: float
    ) -> list[CoordinatorEffect]:
        if self.phase is not Phase.AGGREGATING or not self._names_us(event):
            return []
        if isinstance(event, AggregationFailed):
            return self._fail(event.reason)
        self._enter(Phase.FINISHED)
        self.committed = event
        record = RoundFinished(
            self.round,
            self.attempt,
            model_digest=event.model.digest,
            checkpoint_name=event.checkpoint,
            sums=self.sums,
            seconds=max(0.0, now - self.started),
            num_bytes=event.model.num_bytes,
        )
        return [Persist(record)]

    def _on_tick(self, now: float) -> None:
        accept_over = self.phase is Phase.INVITING and now >= self._accept_until
        update_over = now >= self._update_until
        for node, member in list(self.awaited.items()):
            if member.away_until is not None and now >= member.away_until:
                self._cohort.lose(node, "lost the connection and did not come back in time")
            elif accept_over and member.standing is Standing.OFFERED:
                self._cohort.lose(node, "did not answer the offer in time")
            elif update_over:
                self._cohort.lose(node, "its update came too late")

    # ---- closing --------------------------------------------------------------------------------

    def _settle(self) -> list[CoordinatorEffect]:
        """Move on if nobody has to be waited for, or if waiting is hopeless."""
        minimum = self.frame.plan.selection.minimum
        num_open, num_done = len(self.awaited), len(self.contributions)
        if num_open + num_done < minimum:
            return self._fail(
                f"{num_done + num_open} of {len(self.members)} nodes were left, "
                f"{minimum} are needed ({self._cohort.reasons()})"
            )
        effects: list[CoordinatorEffect] = []
        if self.phase is Phase.INVITING and not self._cohort.num_offered:
            self._enter(Phase.COLLECTING)
            effects.append(Persist(self._phase_record()))
        if self.phase is Phase.COLLECTING and not num_open:
            effects += self._close()
        return effects

    def _close(self) -> list[CoordinatorEffect]:
        self._enter(Phase.AGGREGATING)
        self._survivors = tuple(sorted(self.contributions))
        chosen = SurvivorsChosen(self.round, self.attempt, nodes=self._survivors)
        return [Persist(chosen), Persist(self._phase_record()), self._aggregate()]

    def _fail(self, reason: str) -> list[CoordinatorEffect]:
        self._enter(Phase.FAILED)
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
            if member.standing in AWAITED or member.standing is Standing.DELIVERED
        ]
        return [Persist(RoundFailed(self.round, self.attempt, cause=reason)), *told]

    # ---- small parts ----------------------------------------------------------------------------

    def _enter(self, phase: Phase) -> None:
        if phase is not Phase.FAILED and (self.phase, phase) not in _FORWARD:
            raise LocalProtocolError(f"no way from {self.phase.name} to {phase.name}")
        self.phase = phase

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

    def _weight(self, num_examples: int) -> int:
        weights = self.frame.plan.weights
        if weights.by == "equal":
            return 1
        return num_examples if weights.cap is None else min(num_examples, weights.cap)

    def _phase_record(self) -> PhaseEntered:
        return PhaseEntered(
            self.round, self.attempt, phase=self.phase.name, deadline=self._update_until
        )

    def _aggregate(self) -> Aggregate:
        parts = tuple(self.contributions[node] for node in self._survivors)
        return Aggregate(self.round, self.attempt, self.base, parts)

    def _offer(self, now: float) -> Offer:
        return Offer(
            incarnation=self.frame.incarnation,
            round=self.round,
            attempt=self.attempt,
            plan_hash=self.frame.plan_hash,
            manifest_digest=self.frame.manifest_digest,
            model=self.base,
            cohort_size=len(self.members),
            accept_s=max(0.0, self._accept_until - now),
            deadline_s=max(0.0, self._update_until - now),
        )


def _refuse(
    event: UpdateOpened | UpdateArrived | UpdateBroken, code: CloseCode, reason: str
) -> RefuseUpdate:
    return RefuseUpdate(event.node, event.stream, code, short_text(reason))
