"""Federation: rounds until the target, the budget or the operator ends them.

It knows who is present, starts an attempt when enough participants are, hands every event to the
attempt or evaluation under way, and decides what comes next. A failed attempt is followed by
another one, after a pause that grows with every failure in a row. After a restart it goes on from
a FederationSnapshot: at the same attempt if its survivors were chosen, else at the next attempt.
"""

import math
from dataclasses import replace
from enum import Enum

from fedtui.errors import CloseCode, LocalProtocolError
from fedtui.rounds import gate, gathering, guiding
from fedtui.rounds.attempt import Frame
from fedtui.rounds.coordinator import RoundCoordinator
from fedtui.rounds.ending import best_of, why_end
from fedtui.rounds.evaluation import Evaluating, effects_of
from fedtui.rounds.history import (
    FederationSnapshot,
    FinishedRound,
    OpenAttempt,
    scored_round,
)
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
    UpdateBroken,
    UpdateOpened,
)
from fedtui.rounds.masked_evaluation import MaskedEvaluation
from fedtui.rounds.masked_round import MaskedRound
from fedtui.rounds.picking import Picker
from fedtui.rounds.presence import Present
from fedtui.rounds.records import (
    FederationEnded,
    FederationPaused,
    FederationResumed,
    RolledBack,
)
from fedtui.rounds.steady import Steady
from fedtui.wire.messages import Ended, Leaving, ModelRef, Result, Waiting
from fedtui.wire.texts import short_text

NUM_FAILURES_KEPT = 20


class Phase(Enum):
    """What the federation is doing."""

    GATHERING = "waiting for enough nodes"
    ROUND = "a round is under way"
    EVALUATING = "the new model is being measured"
    PAUSED = "paused by the operator"
    ENDED = "over"


TRANSITIONS: dict[tuple[Phase, str], Phase] = {
    (Phase.GATHERING, "enough nodes, or a restart with survivors chosen"): Phase.ROUND,
    (Phase.GATHERING, "a restart with a model not measured yet"): Phase.EVALUATING,
    (Phase.GATHERING, "pause"): Phase.PAUSED,
    (Phase.GATHERING, "stop, or a restart after the last round"): Phase.ENDED,
    (Phase.ROUND, "attempt failed"): Phase.GATHERING,
    (Phase.ROUND, "committed"): Phase.EVALUATING,
    (Phase.ROUND, "stop"): Phase.ENDED,
    (Phase.EVALUATING, "measured, or nobody did"): Phase.GATHERING,
    (Phase.EVALUATING, "target, patience or budget, or stop"): Phase.ENDED,
    (Phase.PAUSED, "resume, or a restart with work under way"): Phase.GATHERING,
    (Phase.PAUSED, "stop"): Phase.ENDED,
}
_FORWARD = {(start, end) for (start, _), end in TRANSITIONS.items()}


class Federation:
    """The coordinator's outermost machine; see rounds/machine.py for its events and effects."""

    def __init__(self, frame: Frame, snapshot: FederationSnapshot, *, now: float) -> None:
        if not snapshot.rounds:
            raise ValueError("a federation begins with its initial model as round 0")
        self.frame = frame
        self.plan = frame.plan
        self.rounds: list[FinishedRound] = list(snapshot.rounds)
        self._best = best_of(self.rounds, self.plan.task.metric)
        self.present = Present()
        self.ended: str | None = snapshot.ended
        self.result_round: int | None = snapshot.result_round
        self.attempt: RoundCoordinator | MaskedRound | None = None
        self.evaluating: Evaluating | MaskedEvaluation | None = None
        self.failures: list[str] = []
        self.phase = Phase.GATHERING
        self.pause_asked = snapshot.paused
        self._last_attempt = snapshot.last_attempt
        self._burnt = snapshot.burnt
        self._round_began: float | None = None
        self._steady = Steady(now)
        self._picker = Picker(self.plan, snapshot)
        self._gathering = self._gather(now, after_restart=True)
        self._open = snapshot.open
        begun = self._last_attempt != (0, 0)
        self._rejoin_until = now + self.plan.deadlines.rejoin_s if begun else -math.inf
        if self.ended is not None:
            self.phase = Phase.ENDED
        elif self.pause_asked:
            self.phase = Phase.PAUSED

    # ---- what others may ask ------------------------------------------------------------------

    @property
    def model(self) -> ModelRef:
        """The newest committed model that was not rolled back."""
        return gate.passed(self.rounds).model

    @property
    def best(self) -> FinishedRound:
        """The round with the best score (the latest of equals); the last one if none has any."""
        return self._best if self._best.score is not None else gate.passed(self.rounds)

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
        return self.bases | recent | {self.best.round, self.result.round}

    @property
    def bases(self) -> frozenset[int]:
        """Rounds from whose models, and what the strategy kept with them, the next may start."""
        return gate.bases(self.rounds)

    @property
    def needed(self) -> int:
        """How many participants must be present for the next attempt."""
        return self._gathering.wanted

    @property
    def available(self) -> list[NodeId]:
        """Participants that can be selected, sorted."""
        return self.present.available

    @property
    def deadline(self) -> float | None:
        return self._steady.on_clock(self._due())

    def _due(self) -> float | None:
        match self.phase:
            case Phase.ROUND:
                return self.attempt.deadline if self.attempt else None
            case Phase.EVALUATING:
                return self.evaluating.deadline if self.evaluating else None
            case Phase.GATHERING:
                return self._gathering_due()
            case Phase.PAUSED | Phase.ENDED:
                return None

    # ---- events ---------------------------------------------------------------------------------

    def start(self, now: float) -> list[CoordinatorEffect]:
        """Go on where the snapshot left off; to be called once, before any event."""
        now = self._steady.read(now)
        attempt, self._open = self._open, None
        if self.phase is Phase.ENDED:
            return [Discard(0, 0)]
        if attempt is not None and attempt.survivors is not None:
            return self._resume(attempt, now)
        effects: list[CoordinatorEffect] = [Discard(0, 0)]
        last = self.rounds[-1]
        judged = last.score is not None or last.rolled_back
        if last.round > 0 and not (judged and not why_end(self.plan, self.rounds)):
            self._wake_up()
            effects += self._begin_evaluation(last.survivors, now)
        return [*effects, *self._advance(now)]

    def _resume(self, attempt: OpenAttempt, now: float) -> list[CoordinatorEffect]:
        self._wake_up()
        self._enter(Phase.ROUND)
        kind = MaskedRound if attempt.frozen else RoundCoordinator
        resumed = self.attempt = kind(
            self.frame,
            number=attempt.round,
            attempt=attempt.attempt,
            base=self.model,
            started=now,
        )
        return resumed.resume(attempt, now)

    def _wake_up(self) -> None:
        """A pause only begins when what was under way is done; so it is after a restart."""
        if self.phase is Phase.PAUSED:
            self._enter(Phase.GATHERING)

    def handle(self, event: CoordinatorEvent, now: float) -> list[CoordinatorEffect]:
        """Take one event, and go as far as can be gone without another one."""
        now = self._steady.read(now)
        if isinstance(event, Said) and isinstance(event.message, Leaving):
            event = Left(event.node, for_good=True)
        self.present.note(event, now + self.plan.deadlines.rejoin_s)
        effects: list[CoordinatorEffect] = []
        if isinstance(event, Operator):
            effects += self._on_operator(event, now)
        elif self.phase is Phase.ROUND and self.attempt is not None:
            effects += self.attempt.handle(event, now)
        elif isinstance(event, UpdateOpened | UpdateArrived | UpdateBroken):
            effects += [self._no_round(event)]
        elif self.phase is Phase.EVALUATING and self.evaluating is not None:
            effects += self.evaluating.handle(event, now)
        effects += self._advance(now)
        if isinstance(event, Joined):
            effects += self._greet(event.node, effects)
        return effects

    def _no_round(self, event: UpdateOpened | UpdateArrived | UpdateBroken) -> RefuseUpdate:
        reason = f"round {event.round} attempt {event.attempt} is over"
        return RefuseUpdate(event.node, event.stream, CloseCode.LIMIT, reason)

    def _on_operator(self, event: Operator, now: float) -> list[CoordinatorEffect]:
        if self.phase is Phase.ENDED:
            return []
        match event.command:
            case "stop":
                return self._stop(f"ended by {event.by}")
            case "pause" if not self.pause_asked:
                self.pause_asked = True
                return [Persist(FederationPaused(reason=event.by))]
            case "resume" if self.pause_asked:
                self.pause_asked = False
                if self.phase is Phase.PAUSED:
                    self._enter(Phase.GATHERING)
                    self._gathering = self._gather(now)
                return [Persist(FederationResumed())]
            case "next":
                self._gathering.hurry(now)
            case _:
                pass
        return []

    def _stop(self, reason: str) -> list[CoordinatorEffect]:
        attempt = self.attempt
        if attempt is None:
            return self._end(reason)
        over = Discard(attempt.round, attempt.attempt)
        return [*attempt.abort(reason), over, *self._end(reason)]

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
        if self.pause_asked:
            self._enter(Phase.PAUSED)
            return self._say_waiting(now)
        wait = self._gathering
        if not wait.enough(self._num_ready, now) or now < wait.not_before:
            return self._say_waiting(now)
        number = max(self.rounds[-1].round, self._burnt) + 1
        attempt = self._last_attempt[1] + 1 if self._last_attempt[0] == number else 1
        if self._round_began is None:
            self._round_began = now
        self._last_attempt = (number, attempt)
        cohort, terms = self._picker.pick(self.present.declared, number, attempt)
        kind = MaskedRound if self.plan.masked else RoundCoordinator
        begun = self.attempt = kind(
            self.frame, number=number, attempt=attempt, base=self.model, started=self._round_began
        )
        begun.terms = terms
        if isinstance(begun, MaskedRound):
            begun.introduce(self.present.peers(cohort))
        self._enter(Phase.ROUND)
        return begun.begin(cohort, now)

    def _after_attempt(self, now: float) -> list[CoordinatorEffect]:
        attempt = self.attempt
        if attempt is None or not attempt.over:
            return []
        self.attempt = None
        over = Discard(attempt.round, attempt.attempt)
        if attempt.committed is None:
            self.failures = [*self.failures[1 - NUM_FAILURES_KEPT :], attempt.failure or ""]
            self._burnt = attempt.round if attempt.burnt else self._burnt
            self._enter(Phase.GATHERING)
            self._gathering = self._gather(now)
            return [over]
        self.failures, self._round_began = [], None
        self.rounds.append(attempt.finished(self.rounds[-1], now))
        self._picker.finished(self.rounds[-1], attempt.answers)
        return [*self._announce(attempt), over, *self._begin_evaluation(attempt.survivors, now)]

    def _announce(self, attempt: RoundCoordinator | MaskedRound) -> list[CoordinatorEffect]:
        survivors = frozenset(attempt.survivors)
        left_out, counted = (
            Result(
                incarnation=self.frame.incarnation,
                round=attempt.round,
                attempt=attempt.attempt,
                model=self.model,
                num_updates=len(survivors),
                counted=is_counted,
                sums=self.rounds[-1].sums,
            )
            for is_counted in (False, True)
        )
        return [Send(n, counted if n in survivors else left_out) for n in sorted(self.present)]

    def _begin_evaluation(
        self, survivors: tuple[NodeId, ...], now: float
    ) -> list[CoordinatorEffect]:
        """Ask evaluators if there are any, else the survivors, for what they hold out."""
        evaluation = self.plan.evaluation
        asked = self.present.evaluators
        coming = self.present.expected_evaluators(now)
        restarted = now < self._rejoin_until
        if not (asked or coming or evaluation.with_evaluator) and evaluation.held_out:
            asked = {n for n in survivors if n in self.present and not self.present[n].away}
            if restarted:
                coming = {n: self._rejoin_until for n in survivors if n not in self.present}
            if self.plan.masked:
                return self._begin_masked_evaluation(asked, coming, now)
        self.evaluating = Evaluating(
            self.frame,
            self.model,
            now + self.plan.deadlines.evaluate_s,
            asked | coming.keys(),
            away_until=coming,
            expected_until=(
                self._rejoin_until
                if restarted and evaluation.with_evaluator and not (asked or coming)
                else None
            ),
        )
        self._enter(Phase.EVALUATING)
        return self.evaluating.begin(now)

    def _begin_masked_evaluation(
        self, asked: set[NodeId], coming: dict[NodeId, float], now: float
    ) -> list[CoordinatorEffect]:
        """The same under masks: the coordinator hears the sums of all who answer together."""
        self._enter(Phase.EVALUATING)
        masked = self.evaluating = MaskedEvaluation(
            self.frame,
            number=self.model.round,
            attempt=self.rounds[-1].attempt + 1,
            base=self.model,
            started=now,
        )
        masked.introduce(self.present.peers(asked))
        return masked.ask(frozenset(asked | coming.keys()), coming, now)

    def _after_evaluation(self, now: float) -> list[CoordinatorEffect]:
        evaluating = self.evaluating
        if evaluating is None or not evaluating.over:
            return []
        self.evaluating = None
        effects: list[CoordinatorEffect] = []
        outcome = evaluating.result()
        if outcome is not None:
            effects += effects_of(outcome, frozenset(self.present))
            self.rounds[-1] = scored_round(self.rounds[-1], outcome[0])
        effects += self._at_the_gate()
        if self.rounds[-1].score is not None:
            self._best = best_of((self._best, self.rounds[-1]), self.plan.task.metric)
        reason = why_end(self.plan, self.rounds)
        if reason:
            return [*effects, *self._end(reason)]
        self._enter(Phase.GATHERING)
        self._gathering = self._gather(now)
        return effects

    def _at_the_gate(self) -> list[CoordinatorEffect]:
        """Roll the newest round back if its model is not worth going on from."""
        newest, cause = self.rounds[-1], gate.why_not(self.plan, self.rounds)
        if not cause:
            return []
        self.rounds[-1] = replace(newest, rolled_back=cause)
        return [Persist(RolledBack(newest.round, newest.attempt, cause=cause))]

    # ---- ending ---------------------------------------------------------------------------------

    def _end(self, reason: str) -> list[CoordinatorEffect]:
        self.attempt = self.evaluating = None
        self._enter(Phase.ENDED)
        self.ended = reason
        self.result_round = self.best.round
        record = FederationEnded(reason=reason, result_round=self.result_round)
        told = [Send(node, self._ended()) for node in sorted(self.present)]
        return [Persist(record), *told, Finished(reason)]

    # ---- telling --------------------------------------------------------------------------------

    def _greet(self, node: NodeId, effects: list[CoordinatorEffect]) -> list[CoordinatorEffect]:
        """Tell who joins why no round runs, unless it is told something already."""
        match self.phase:
            case Phase.ENDED:
                return [Send(node, self._ended())]
            case Phase.GATHERING if self.present.num_available >= self.needed:
                return []
            case Phase.PAUSED | Phase.GATHERING:
                told = any(isinstance(e, Send) and e.node == node for e in effects)
                return [] if told else [Send(node, self._waiting())]
            case _:
                return []

    def _say_waiting(self, now: float) -> list[CoordinatorEffect]:
        """Tell everybody for whom the round waits: once per change, and not too often."""
        wait = self._gathering
        message = self._waiting()
        state = (message.present, message.needed, message.paused)
        if state == wait.said or (now < wait.say_from and not message.paused):
            return []
        wait.said = state
        if message.present >= message.needed and not message.paused:
            return []
        wait.say_from = now + gathering.SAY_GAP_S * len(self.present)
        return [Send(node, message) for node in sorted(self.present)]

    def _waiting(self) -> Waiting:
        return Waiting(
            incarnation=self.frame.incarnation,
            present=self.present.num_available,
            needed=self.needed,
            paused=self.phase is Phase.PAUSED,
        )

    def _ended(self) -> Ended:
        result = self.result
        return Ended(
            incarnation=self.frame.incarnation,
            reason=short_text(self.ended or ""),
            model=result.model,
            score=result.score,
        )

    # ---- gathering ------------------------------------------------------------------------------

    def _gather(self, now: float, *, after_restart: bool = False) -> gathering.Gathering:
        """How long to wait for whom before the next attempt."""
        if self._last_attempt == (0, 0):
            return gathering.first(self.plan, now)
        if after_restart or self.failures:
            num_before = len(self.rounds[-1].cohort) or self.plan.rounds.start_with or 0
            return gathering.again(self.plan, num_before, len(self.failures), now)
        return gathering.next_round(self.plan, now)

    @property
    def _num_ready(self) -> int:
        """How many are here to begin with: none without the node that the aggregator trusts."""
        guide = self._picker.guide
        if guide is not None and guiding.among(guide, self.present.available) is None:
            return 0
        return self.present.num_available

    def _gathering_due(self) -> float | None:
        wait, num = self._gathering, self.present.num_available
        due = wait.due(self._num_ready)
        if wait.said == (num, wait.wanted, False):
            return due
        return wait.say_from if due is None else min(due, wait.say_from)

    def _enter(self, phase: Phase) -> None:
        if (self.phase, phase) not in _FORWARD:
            raise LocalProtocolError(f"no way from {self.phase.name} to {phase.name}")
        self.phase = phase
