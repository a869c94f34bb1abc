"""Federation: rounds until the target, the budget or the operator ends them.

It knows who is present, starts an attempt when enough participants are, hands every event to the
attempt or evaluation under way, and decides what comes next. A failed attempt is followed by
another one, after a pause that grows with every failure in a row. After a restart it goes on from
a FederationSnapshot: at the same attempt if its survivors were chosen, else at the next attempt.
"""

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from fedtui import plugins
from fedtui.errors import CloseCode
from fedtui.learning.metrics import higher_is_better, reached
from fedtui.rounds.coordinator import Frame, RoundCoordinator
from fedtui.rounds.evaluation import Evaluating
from fedtui.rounds.history import FederationSnapshot, FinishedRound, scored_round
from fedtui.rounds.machine import (
    CoordinatorEffect,
    CoordinatorEvent,
    Discard,
    Finished,
    Joined,
    Left,
    NodeId,
    Operator,
    Persist,
    RefuseUpdate,
    Said,
    Send,
    UpdateArrived,
    UpdateOpened,
)
from fedtui.rounds.records import FederationEnded, FederationPaused, FederationResumed
from fedtui.wire.messages import Away, Ended, Leaving, ModelRef, Result, Role, Waiting

if TYPE_CHECKING:
    from fedtui.selection.base import Selection

BACKOFF_FIRST_S = 0.5
BACKOFF_MOST_S = 30.0


class Phase(Enum):
    """What the federation is doing."""

    GATHERING = "waiting for enough nodes"
    ROUND = "a round is under way"
    EVALUATING = "the new model is being measured"
    PAUSED = "paused by the operator"
    ENDED = "over"


TRANSITIONS: dict[tuple[Phase, str], Phase] = {
    (Phase.GATHERING, "enough nodes"): Phase.ROUND,
    (Phase.GATHERING, "pause"): Phase.PAUSED,
    (Phase.GATHERING, "stop"): Phase.ENDED,
    (Phase.ROUND, "attempt failed"): Phase.GATHERING,
    (Phase.ROUND, "attempt failed, pause asked"): Phase.PAUSED,
    (Phase.ROUND, "committed"): Phase.EVALUATING,
    (Phase.ROUND, "stop"): Phase.ENDED,
    (Phase.EVALUATING, "measured, go on"): Phase.GATHERING,
    (Phase.EVALUATING, "measured, pause asked"): Phase.PAUSED,
    (Phase.EVALUATING, "target, patience or budget, or stop"): Phase.ENDED,
    (Phase.PAUSED, "resume"): Phase.GATHERING,
    (Phase.PAUSED, "stop"): Phase.ENDED,
}


@dataclass(slots=True)
class Presence:
    """A connected, consenting node."""

    role: Role
    away: bool = False


@dataclass(slots=True)
class _Gathering:
    """For how many participants to wait, and until when a smaller number will not do."""

    wanted: int
    until: float
    not_before: float = 0.0
    said: tuple[int, int, bool] | None = field(default=None)


class Federation:
    """The coordinator's outermost machine; see rounds/machine.py for its events and effects."""

    def __init__(self, frame: Frame, snapshot: FederationSnapshot, *, now: float) -> None:
        if not snapshot.rounds:
            raise ValueError("a federation begins with its initial model as round 0")
        self.frame = frame
        self.plan = frame.plan
        self.rounds: list[FinishedRound] = list(snapshot.rounds)
        self.present: dict[NodeId, Presence] = {}
        self.ended: str | None = snapshot.ended
        self.result_round: int | None = snapshot.result_round
        self.attempt: RoundCoordinator | None = None
        self.evaluating: Evaluating | None = None
        self.failures: list[str] = []
        self.phase = Phase.GATHERING
        self._pause_asked = snapshot.paused
        self._last_attempt = snapshot.last_attempt
        self._round_began: float | None = None
        self._selection: Selection = plugins.build(
            "selection", self.plan.selection.name, **self.plan.selection.options
        )
        self._gathering = self._gather(now, after_restart=True)
        self._open = snapshot.open
        if self.ended is not None:
            self.phase = Phase.ENDED
        elif self._pause_asked:
            self.phase = Phase.PAUSED

    # ---- what others may ask ------------------------------------------------------------------

    @property
    def model(self) -> ModelRef:
        """The newest committed model."""
        return model_of(self.rounds[-1])

    @property
    def best(self) -> FinishedRound:
        """The round with the best score (the latest of equals); the last one if none has any."""
        scored = [r for r in self.rounds if r.score is not None]
        if not scored:
            return self.rounds[-1]
        sign = 1 if higher_is_better(self.plan.task.metric) else -1
        return max(scored, key=lambda r: (sign * (r.score or 0.0), r.round))

    @property
    def result(self) -> FinishedRound:
        """The round whose model is the federation's result (so far)."""
        if self.result_round is None:
            return self.best
        return next(r for r in self.rounds if r.round == self.result_round)

    @property
    def keep(self) -> frozenset[int]:
        """Rounds whose checkpoints must not be deleted."""
        recent = {r.round for r in self.rounds[-2:]}
        return frozenset(recent | {self.best.round, self.result.round})

    @property
    def needed(self) -> int:
        """How many participants must be present for the next attempt."""
        return self._gathering.wanted

    @property
    def available(self) -> list[NodeId]:
        """Participants that can be selected, sorted."""
        return sorted(n for n, p in self.present.items() if p.role == "participant" and not p.away)

    @property
    def deadline(self) -> float | None:
        match self.phase:
            case Phase.ROUND:
                return self.attempt.deadline if self.attempt else None
            case Phase.EVALUATING:
                return self.evaluating.deadline if self.evaluating else None
            case Phase.GATHERING:
                return self._gathering_deadline()
            case Phase.PAUSED | Phase.ENDED:
                return None

    # ---- events ---------------------------------------------------------------------------------

    def start(self, now: float) -> list[CoordinatorEffect]:
        """Go on where the snapshot left off; to be called once, before any event."""
        attempt, self._open = self._open, None
        if attempt is None or self.phase is Phase.ENDED:
            return [Discard(0, 0)]
        if attempt.survivors is None:
            return [Discard(0, 0), *self._advance(now)]
        self.attempt = RoundCoordinator(
            self.frame,
            number=attempt.round,
            attempt=attempt.attempt,
            base=self.model,
            started=now,
        )
        self.phase = Phase.ROUND
        return self.attempt.resume(attempt)

    def handle(self, event: CoordinatorEvent, now: float) -> list[CoordinatorEffect]:
        """Take one event, and go as far as can be gone without another one."""
        effects = self._note_presence(event)
        if isinstance(event, Operator):
            effects += self._on_operator(event, now)
        elif self.phase is Phase.ROUND and self.attempt is not None:
            effects += self.attempt.handle(event, now)
        elif isinstance(event, UpdateOpened | UpdateArrived):
            effects += [self._no_round(event)]
        elif self.phase is Phase.EVALUATING and self.evaluating is not None:
            effects += self.evaluating.handle(event, now)
        effects += self._advance(now)
        if isinstance(event, Joined):
            effects += self._greet(event.node)
        return effects

    def _note_presence(self, event: CoordinatorEvent) -> list[CoordinatorEffect]:
        match event:
            case Joined(node=node, role=role):
                self.present[node] = Presence(role)
            case Left(node=node):
                self.present.pop(node, None)
            case Said(node=node, message=Leaving()):
                self.present.pop(node, None)
            case Said(node=node, message=Away(away=away)) if node in self.present:
                self.present[node].away = away
            case _:
                pass
        return []

    def _no_round(self, event: UpdateOpened | UpdateArrived) -> RefuseUpdate:
        reason = f"round {event.round} attempt {event.attempt} is over"
        return RefuseUpdate(event.node, event.stream, CloseCode.LIMIT, reason)

    def _on_operator(self, event: Operator, now: float) -> list[CoordinatorEffect]:
        if self.phase is Phase.ENDED:
            return []
        match event.command:
            case "pause":
                self._pause_asked = True
                return [Persist(FederationPaused(reason=event.by))]
            case "resume":
                self._pause_asked = False
                if self.phase is Phase.PAUSED:
                    self.phase = Phase.GATHERING
                    self._gathering = self._gather(now)
                return [Persist(FederationResumed())]
            case "stop":
                reason = f"ended by {event.by}"
                aborted = self.attempt.abort(reason) if self.attempt else []
                return [*aborted, *self._end(reason)]

    # ---- going on -------------------------------------------------------------------------------

    def _advance(self, now: float) -> list[CoordinatorEffect]:
        effects: list[CoordinatorEffect] = []
        while True:
            before = self.phase
            match self.phase:
                case Phase.ROUND:
                    effects += self._after_attempt(now)
                case Phase.EVALUATING:
                    effects += self._after_evaluation(now)
                case Phase.GATHERING:
                    effects += self._try_to_begin(now)
                case Phase.PAUSED | Phase.ENDED:
                    pass
            if self.phase is before:
                return effects

    def _try_to_begin(self, now: float) -> list[CoordinatorEffect]:
        if self._pause_asked:
            self.phase = Phase.PAUSED
            return self._say_waiting()
        available = self.available
        gathering = self._gathering
        enough = len(available) >= gathering.wanted or (
            now >= gathering.until and len(available) >= self.plan.selection.minimum
        )
        if not enough or now < gathering.not_before:
            return self._say_waiting()
        number = self.rounds[-1].round + 1
        attempt = self._last_attempt[1] + 1 if self._last_attempt[0] == number else 1
        if self._round_began is None:
            self._round_began = now
        self._last_attempt = (number, attempt)
        self.attempt = RoundCoordinator(
            self.frame, number=number, attempt=attempt, base=self.model, started=self._round_began
        )
        self.phase = Phase.ROUND
        return self.attempt.begin(self._pick(available, number, attempt), now)

    def _pick(self, available: list[NodeId], number: int, attempt: int) -> frozenset[NodeId]:
        chosen = self.plan.selection
        size = chosen.count or math.ceil(chosen.fraction * len(available))
        rng = np.random.default_rng([self.plan.seed, number, attempt])
        return self._selection.pick(available, max(size, chosen.minimum), rng)

    def _after_attempt(self, now: float) -> list[CoordinatorEffect]:
        attempt = self.attempt
        if attempt is None or not attempt.over:
            return []
        self.attempt = None
        over = Discard(attempt.round, attempt.attempt)
        if attempt.committed is None:
            self.failures.append(attempt.failure or "")
            self.phase = Phase.GATHERING
            self._gathering = self._gather(now)
            return [over]
        self.failures.clear()
        self._round_began = None
        committed = attempt.committed
        self.rounds.append(
            FinishedRound(
                round=attempt.round,
                attempt=attempt.attempt,
                model_digest=committed.model.digest,
                num_bytes=committed.model.num_bytes,
                checkpoint_name=committed.checkpoint,
                cohort=tuple(attempt.members),
                survivors=attempt.survivors,
                sums=attempt.sums,
                seconds=max(0.0, now - attempt.started),
            )
        )
        self.phase = Phase.EVALUATING
        return [*self._announce(attempt), over, *self._begin_evaluation(attempt.survivors, now)]

    def _announce(self, attempt: RoundCoordinator) -> list[CoordinatorEffect]:
        def result(node: NodeId) -> Result:
            return Result(
                incarnation=self.frame.incarnation,
                round=attempt.round,
                attempt=attempt.attempt,
                model=self.model,
                num_updates=len(attempt.survivors),
                counted=node in attempt.survivors,
                sums=attempt.sums,
            )

        return [Send(node, result(node)) for node in sorted(self.present)]

    def _begin_evaluation(
        self, survivors: tuple[NodeId, ...], now: float
    ) -> list[CoordinatorEffect]:
        evaluation = self.plan.evaluation
        asked = {n for n, p in self.present.items() if p.role == "evaluator" and not p.away}
        if not asked and evaluation.held_out and not evaluation.with_evaluator:
            asked = {n for n in survivors if n in self.present and not self.present[n].away}
        self.evaluating = Evaluating(
            self.frame, self.model, now + self.plan.deadlines.evaluate_s, asked
        )
        return self.evaluating.begin(now)

    def _after_evaluation(self, now: float) -> list[CoordinatorEffect]:
        evaluating = self.evaluating
        if evaluating is None or not evaluating.over:
            return []
        self.evaluating = None
        effects: list[CoordinatorEffect] = []
        outcome = evaluating.result()
        if outcome is not None:
            effects += evaluating.effects_of(outcome, frozenset(self.present))
            self.rounds[-1] = scored_round(self.rounds[-1], outcome[0])
        reason = self._why_end()
        if reason:
            return [*effects, *self._end(reason)]
        self.phase = Phase.GATHERING
        self._gathering = self._gather(now)
        return effects

    # ---- ending ---------------------------------------------------------------------------------

    def _why_end(self) -> str | None:
        budget, last = self.plan.rounds, self.rounds[-1]
        metric = self.plan.task.metric
        if self._target_reached(last):
            return f"target reached: {metric} {last.score:.4f}, wanted {budget.target}"
        if budget.patience is not None and last.round - self.best.round >= budget.patience:
            return f"no better {metric} in {budget.patience} rounds"
        if last.round >= budget.maximum:
            return f"all {budget.maximum} rounds done"
        spent_s = math.fsum(r.seconds for r in self.rounds)
        if budget.seconds is not None and spent_s >= budget.seconds:
            return f"time budget of {budget.seconds:g} s spent"
        return None

    def _target_reached(self, last: FinishedRound) -> bool:
        target, metric = self.plan.rounds.target, self.plan.task.metric
        return (
            target is not None and last.score is not None and reached(metric, last.score, target)
        )

    def _end(self, reason: str) -> list[CoordinatorEffect]:
        self.attempt = self.evaluating = None
        self.phase = Phase.ENDED
        self.ended = reason
        self.result_round = self.best.round
        record = FederationEnded(reason=reason, result_round=self.result_round)
        told = [Send(node, self._ended()) for node in sorted(self.present)]
        return [Persist(record), *told, Finished(reason)]

    # ---- telling --------------------------------------------------------------------------------

    def _greet(self, node: NodeId) -> list[CoordinatorEffect]:
        if self.phase is Phase.ENDED:
            return [Send(node, self._ended())]
        if self.phase is Phase.PAUSED:
            return [Send(node, self._waiting())]
        return []

    def _say_waiting(self) -> list[CoordinatorEffect]:
        """Tell everybody for whom the round waits, once per change."""
        message = self._waiting()
        state = (message.present, message.needed, message.paused)
        if state == self._gathering.said:
            return []
        self._gathering.said = state
        return [Send(node, message) for node in sorted(self.present)]

    def _waiting(self) -> Waiting:
        return Waiting(
            incarnation=self.frame.incarnation,
            present=len(self.available),
            needed=self.needed,
            paused=self.phase is Phase.PAUSED,
        )

    def _ended(self) -> Ended:
        result = self.result
        return Ended(
            incarnation=self.frame.incarnation,
            reason=(self.ended or "")[:200],
            model=model_of(result),
            score=result.score,
        )

    # ---- gathering ------------------------------------------------------------------------------

    def _gather(self, now: float, *, after_restart: bool = False) -> _Gathering:
        """How long to wait for whom before the next attempt."""
        minimum = self.plan.selection.minimum
        if self.rounds[-1].round == 0:
            wanted = max(minimum, self.plan.rounds.start_with or minimum)
            return _Gathering(wanted, until=math.inf, not_before=self._backoff(now))
        if after_restart or self.failures:
            wanted = max(minimum, len(self.rounds[-1].cohort))
            until = now + self.plan.deadlines.rejoin_s
            return _Gathering(wanted, until=until, not_before=self._backoff(now))
        return _Gathering(minimum, until=now)

    def _backoff(self, now: float) -> float:
        if not self.failures:
            return now
        return now + min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2.0 ** (len(self.failures) - 1))

    def _gathering_deadline(self) -> float | None:
        """When enough nodes are here but it is too early: the time to look again."""
        gathering = self._gathering
        num = len(self.available)
        if num < self.plan.selection.minimum:
            return None
        due = gathering.not_before if num >= gathering.wanted else gathering.until
        return None if due == math.inf else max(due, gathering.not_before)


def model_of(finished: FinishedRound) -> ModelRef:
    """How messages name the model after a round."""
    return ModelRef(
        round=finished.round, digest=finished.model_digest, num_bytes=finished.num_bytes
    )
