"""RoundParticipant: every round as one node sees it, with visible updates.

At any time it works on at most one thing: an Offer (fetch the model, train, note in the ledger,
upload) or an Evaluate (fetch, measure, answer). A repeated Offer is answered as before, so a
session that broke goes on in the next; an Offer for a later attempt replaces what is under way.
What is or was trained for the same round and model is not begun anew, whatever attempt or life of
the coordinator it was begun in; nor is measuring. Where late updates count (lateness.py) training
goes on when a round went on without it, and the update is handed in at a later one. Rounds and
incarnations only move forward: what is older than what was seen is dropped, whatever brought it
late. Work that is not done by its deadline is given up, and the coordinator is told.
"""

from collections.abc import Callable
from dataclasses import replace

from fedtui.errors import LocalProtocolError
from fedtui.rounds import answers, lateness, partial
from fedtui.rounds.answers import Answered
from fedtui.rounds.handing_in import hand_in
from fedtui.rounds.machine import (
    CancelJob,
    Connected,
    Disconnected,
    DropUpdate,
    FetchModel,
    Heard,
    JobFailed,
    JobReport,
    LocalOperator,
    Measure,
    Measured,
    ModelHere,
    Note,
    ParticipantEffect,
    ParticipantEvent,
    Say,
    StopUpload,
    Tell,
    Tick,
    Train,
    Trained,
    TrainerProgressed,
    UpdateAcknowledged,
    UpdateRefused,
    UploadFailed,
)
from fedtui.rounds.masking_steps import Prepared
from fedtui.rounds.phases import TRANSITIONS, Phase
from fedtui.rounds.plan import VISIBLE
from fedtui.rounds.sums import finite
from fedtui.wire.codec import encode
from fedtui.wire.messages import (
    Abort,
    Away,
    Ended,
    Evaluate,
    Evaluation,
    FromCoordinator,
    FromNode,
    Leaving,
    Offer,
    Progress,
    Result,
    Role,
    Rotated,
    UpdateHeader,
)

_FORWARD = {(start, end) for (start, _), end in TRANSITIONS.items()}

Policy = Callable[[Offer | Evaluate], str | None]
OVER = 2**31
"""Later than any attempt: a round of which the result was heard."""


class RoundParticipant:
    """A node's machine; `refuses` is its operator's policy: a reason, or None if work is fine.

    `stalest` is how many rounds ago what it hands in may have been begun.
    """

    def __init__(
        self, *, role: Role, refuses: Policy, paused: bool = False, stalest: int = 0
    ) -> None:
        self.role = role
        self.paused = paused
        self.phase = Phase.IDLE
        self.work: Offer | Evaluate | None = None
        self._refuses = refuses
        self._stalest = stalest
        self._answered: Answered | None = None
        self._evaluation: Evaluation | None = None
        self._incarnation = 0
        self._until: float | None = None
        self._offered = 0.0
        self._training: Offer | None = None  # what training under way was begun for
        self._update: tuple[Offer, Trained] | None = None

    @property
    def number(self) -> int:
        """The round that it works for, in time or late; 0 for none."""
        begun = self.work or self._training
        return begun.round if begun is not None else 0

    @property
    def deadline(self) -> float | None:
        """When the work under way is given up."""
        return self._until

    def handle(self, event: ParticipantEvent, now: float) -> list[ParticipantEffect]:
        """Take one event; see rounds/machine.py for what the effects mean."""
        if self.phase is Phase.LEFT:
            return []
        match event:
            case Heard(message=message):
                return self._on_message(message, now)
            case Connected():
                return self._on_connected()
            case LocalOperator(command=command):
                return self._on_operator(command)
            case UpdateAcknowledged() | UpdateRefused():
                return self._on_upload_over(event)
            case Disconnected():
                return []
            case Tick():
                return self._on_tick(now)
            case _:
                return self._on_job(event, now)

    # ---- what the coordinator says --------------------------------------------------------------

    def _on_message(self, message: FromCoordinator, now: float) -> list[ParticipantEffect]:
        if isinstance(message, Rotated):
            return []
        if message.incarnation < self._incarnation:
            return []
        self._incarnation = message.incarnation
        match message:
            case Offer():
                return self._on_offer(message, now)
            case Evaluate():
                return self._on_evaluate(message, now)
            case Abort():
                return self._on_abort(message)
            case Result():
                return self._on_result(message)
            case Ended():
                return self._drop_work() + self._stop_training() + self._drop_update()
            case _:
                return []

    def _on_offer(self, offer: Offer, now: float) -> list[ParticipantEffect]:
        known = self._answered
        if known is not None:
            order = (offer.incarnation, offer.round, offer.attempt)
            newest = (known.incarnation, known.round, known.attempt)
            if order < newest:
                return []
            if order == newest:
                return self._answer_again(offer, known, now)
        reason = self._why_not(offer)
        goes_on = not reason and self._is_trained_for(offer)
        effects = [] if goes_on else self._drop_work()
        self._answered = Answered(offer.incarnation, offer.round, offer.attempt, reason)
        if reason is not None:
            return [
                *effects,
                Say(answers.declining(offer, reason)),
                Tell("warning", answers.declined(offer, reason)),
            ]
        is_made = goes_on or self._has_update_for(offer)
        if not is_made:
            effects += [*self._too_late(offer), *self._stop_training(), *self._drop_update()]
        self.work, self._offered, self._until = offer, now, now + offer.deadline_s
        accepting = Say(answers.accepting(offer))
        if goes_on:
            if self.phase is Phase.LATE:
                self._enter(Phase.TRAINING)
            return [accepting]
        if is_made:
            return [*effects, accepting, *self._hand_in(offer)]
        self._enter(Phase.FETCHING)
        return [*effects, accepting, FetchModel(offer.model)]

    def _answer_again(self, offer: Offer, known: Answered, now: float) -> list[ParticipantEffect]:
        if known.declined is not None:
            return [Say(answers.declining(offer, known.declined))]
        work = self.work
        if isinstance(work, Evaluate) or (work is None and not self._has_update_for(offer)):
            return [Say(answers.declining(offer, "this attempt was given up on the node"))]
        again: list[ParticipantEffect] = [Say(answers.accepting(offer))]
        match self.phase:
            case Phase.FETCHING:
                again.append(FetchModel(offer.model))
            case Phase.UPLOADING | Phase.IDLE:
                self.work, self._until = offer, now + offer.deadline_s
                again += self._hand_in(offer)
            case _:
                pass
        return again

    def _on_evaluate(self, message: Evaluate, now: float) -> list[ParticipantEffect]:
        order = (message.incarnation, message.round)
        if order < self._newest():
            return []
        work, known = self.work, self._evaluation
        if isinstance(work, Evaluate) and (work.incarnation, work.round) == order:
            return [FetchModel(message.model)] if self.phase is Phase.FETCHING else []
        effects = self._drop_work()
        if self.phase is Phase.LATE:
            return [*effects, Say(answers.evaluation(message, {}, "this node trains on, late"))]
        if known is not None and (known.incarnation, known.round) == order:
            return [*effects, Say(known)]
        reason = self._refuses(message) or ("paused by its operator" if self.paused else None)
        if reason is not None:
            return [*effects, Say(answers.evaluation(message, {}, reason))]
        self.work, self._until = message, now + message.deadline_s
        self._enter(Phase.FETCHING)
        return [*effects, FetchModel(message.model)]

    def _newest(self) -> tuple[int, int]:
        """The newest (incarnation, round) that any message brought work or a result for."""
        seen = [(0, 0)]
        if self._answered is not None:
            seen.append((self._answered.incarnation, self._answered.round))
        if self._evaluation is not None:
            seen.append((self._evaluation.incarnation, self._evaluation.round))
        if self.work is not None:
            seen.append((self.work.incarnation, self.work.round))
        return max(seen)

    def _on_abort(self, message: Abort) -> list[ParticipantEffect]:
        work = self.work
        if not isinstance(work, Offer) or (work.round, work.attempt) != (
            message.round,
            message.attempt,
        ):
            return []
        told = Tell("info", f"round {work.round} attempt {work.attempt}: {message.reason}")
        return [*self._drop_work(), told]

    def _on_result(self, message: Result) -> list[ParticipantEffect]:
        effects: list[ParticipantEffect] = []
        if (message.incarnation, message.round) >= self._newest():
            over = "this round is over"
            self._answered = Answered(message.incarnation, message.round, OVER, over)
        if isinstance(self.work, Offer) and self.work.round <= message.round:
            effects += self._drop_work()
            late = ", which trains on for a later one" if self.phase is Phase.LATE else ""
            effects.append(Tell("info", f"round {message.round} went on without this node{late}"))
        if self._update is not None:
            base = self._update[0].round
            oldest = base if message.counted else base + self._stalest
            effects += self._drop_update() if oldest <= message.round else []
        return effects

    # ---- what this machine reports --------------------------------------------------------------

    def _on_job(self, event: JobReport, now: float) -> list[ParticipantEffect]:
        match event:
            case ModelHere(digest=digest):
                return self._on_model(digest, now)
            case Trained():
                return self._on_trained(event)
            case Prepared():
                return self._on_prepared(event)
            case TrainerProgressed():
                return self._on_progress(event)
            case Measured():
                return self._on_measured(event)
            case JobFailed():
                return self._on_failed(event)
            case UploadFailed():
                return self._on_upload_failed(event)

    def _on_model(self, digest: bytes, now: float) -> list[ParticipantEffect]:
        work = self.work
        if work is None or self.phase is not Phase.FETCHING or work.model.digest != digest:
            return []
        if isinstance(work, Offer):
            self._enter(Phase.TRAINING)
            self._training = work
            within_s = partial.within_s(self._work_s(work), now - self._offered)
            return [Train(work.round, work.attempt, work.model, within_s)]
        self._enter(Phase.MEASURING)
        return [Measure(work.round, work.model)]

    def _on_trained(self, event: Trained) -> list[ParticipantEffect]:
        work, base = self.work, self._training
        if base is None or (event.round, event.attempt) != (base.round, base.attempt):
            return []
        sums = event.header.sums if finite(event.header.sums) else {}
        late = base.round if self._stalest else None
        header = UpdateHeader(num_examples=event.header.num_examples, sums=sums, base=late)
        self._update, self._training = (base, replace(event, header=header)), None
        if isinstance(work, Offer):
            return self._hand_in(work)
        self._enter(Phase.IDLE)
        return []

    def _work_s(self, offer: Offer) -> float:
        """How long the work may take, of what the offer allows in all."""
        return offer.deadline_s

    def _hand_in(self, offer: Offer) -> list[ParticipantEffect]:
        """The update of this round is here: what comes next."""
        return self._upload(offer)

    def _on_prepared(self, event: Prepared) -> list[ParticipantEffect]:
        del event  # nothing is masked here
        return []

    def _on_progress(self, event: TrainerProgressed) -> list[ParticipantEffect]:
        work = self.work
        if self.phase is not Phase.TRAINING or not isinstance(work, Offer):
            return []
        message = Progress(
            incarnation=work.incarnation,
            round=work.round,
            attempt=work.attempt,
            stage="train",
            fraction=min(1.0, max(0.0, event.fraction)),
        )
        return [Say(message)]

    def _on_measured(self, event: Measured) -> list[ParticipantEffect]:
        work = self.work
        if self.phase is not Phase.MEASURING or not isinstance(work, Evaluate):
            return []
        if event.round != work.round:
            return []
        if not finite(event.sums):
            self._rest()
            reason = "its loss is not a finite number"
            return [
                Say(answers.evaluation(work, {}, reason)),
                Tell("warning", answers.failed(work, reason)),
            ]
        return self._hand_in_sums(work, event.sums)

    def _hand_in_sums(self, work: Evaluate, sums: dict[str, float]) -> list[ParticipantEffect]:
        """The sums are here: what comes next."""
        self._rest()
        self._evaluation = answers.evaluation(work, sums, "")
        what = "sums over own examples: " + ", ".join(sorted(sums))
        note = Note(work.round, 0, what, VISIBLE, len(encode(self._evaluation)), b"")
        return [note, Say(self._evaluation)]

    def _on_failed(self, event: JobFailed) -> list[ParticipantEffect]:
        work = self.work
        begun = self._training or work
        if begun is None or self.phase is Phase.UPLOADING:
            return []
        attempt = begun.attempt if isinstance(begun, Offer) else 0
        if (event.round, event.attempt) != (begun.round, attempt):
            return []
        if work is None:
            return [*self._stop_training(), Tell("warning", answers.failed(begun, event.reason))]
        if isinstance(work, Offer):
            self._answered = Answered(work.incarnation, work.round, work.attempt, event.reason)
            said: FromNode = answers.declining(work, event.reason)
        else:
            said = answers.evaluation(work, {}, event.reason)
        self._rest()
        return [Say(said), Tell("warning", answers.failed(work, event.reason))]

    def _on_upload_over(
        self, event: UpdateAcknowledged | UpdateRefused
    ) -> list[ParticipantEffect]:
        if self.phase is not Phase.UPLOADING or self._update is None:
            return []
        if isinstance(event, UpdateAcknowledged) and event.digest != self._update[1].digest:
            return []
        self._rest()
        if isinstance(event, UpdateRefused):
            return [Tell("warning", f"the coordinator refused the update: {event.reason}")]
        return []

    def _on_upload_failed(self, event: UploadFailed) -> list[ParticipantEffect]:
        """Nobody should wait for what does not come; what is lost is trained again."""
        if self.phase is not Phase.UPLOADING or self.work is None:
            return []
        why = answers.failed(self.work, f"the update was not sent: {event.reason}")
        lost = self._drop_update() if event.lost else []
        return [*self._give_up(event.reason), *lost, Tell("warning", why)]

    # ---- connection, operator, time -------------------------------------------------------------

    def _on_connected(self) -> list[ParticipantEffect]:
        return [Say(Away(away=True))] if self.paused else []

    def _on_operator(self, command: str) -> list[ParticipantEffect]:
        match command:
            case "pause":
                self.paused = True
                stopped = [*self._give_up("paused by its operator"), *self._stop_training()]
                return [*stopped, Say(Away(away=True))]
            case "resume":
                self.paused = False
                return [Say(Away(away=False))]
            case _:
                effects = self._give_up("leaves the federation")
                effects += [*self._stop_training(), *self._drop_update()]
                self._enter(Phase.LEFT)
                return [*effects, Say(Leaving(reason="its operator left"))]

    def _on_tick(self, now: float) -> list[ParticipantEffect]:
        if self.work is None or self._until is None or now < self._until:
            return []
        told = Tell("warning", answers.failed(self.work, "not done before the deadline"))
        return [*self._give_up("not done before the deadline"), told]

    def _give_up(self, reason: str) -> list[ParticipantEffect]:
        """Stop what is under way and tell the coordinator why."""
        work = self.work
        if work is None:
            return []
        said: FromNode
        if isinstance(work, Offer):
            self._answered = Answered(work.incarnation, work.round, work.attempt, reason)
            said = answers.declining(work, reason)
        else:
            said = answers.evaluation(work, {}, reason)
        return [*self._drop_work(), Say(said)]

    # ---- small parts ----------------------------------------------------------------------------

    def _why_not(self, offer: Offer) -> str | None:
        if self.paused:
            return "paused by its operator"
        if self.role != "participant":
            return f"this node is {self.role}: it does not train"
        return self._refuses(offer)

    def _has_update_for(self, offer: Offer) -> bool:
        return self._update is not None and self._serves(self._update[0], offer)

    def _is_trained_for(self, offer: Offer) -> bool:
        """Whether what is trained just now is what the offer asks for."""
        return self._training is not None and self._serves(self._training, offer)

    def _serves(self, base: Offer, offer: Offer) -> bool:
        """Whether what was begun for `base` may be handed in for `offer`."""
        return lateness.serves(base, offer, self._stalest)

    def _too_late(self, offer: Offer) -> list[ParticipantEffect]:
        """Tell that work was in vain, where late work might have counted."""
        base = self._training or (self._update[0] if self._update is not None else None)
        if not self._stalest or base is None or base.round >= offer.round:
            return []
        return [Tell("warning", lateness.too_late(base.round, offer.round))]

    def _upload(self, offer: Offer) -> list[ParticipantEffect]:
        if self._update is None:
            return []
        if self.phase is not Phase.UPLOADING:
            self._enter(Phase.UPLOADING)
        return hand_in(offer, self._update[1], incarnation=offer.incarnation)

    def _drop_work(self) -> list[ParticipantEffect]:
        """Stop what is under way without a word; a finished update is kept."""
        if self.work is None:
            return []
        phase = self.phase
        if phase is Phase.TRAINING and self._stalest:
            self._enter(Phase.LATE)
            self.work = self._until = None
            return []
        self._rest()
        match phase:
            case Phase.TRAINING | Phase.MEASURING | Phase.MASKING:
                return [CancelJob()]
            case Phase.UPLOADING:
                return [StopUpload()]
            case _:
                return []

    def _stop_training(self) -> list[ParticipantEffect]:
        """No update comes of what is trained late."""
        if self.phase is not Phase.LATE:
            return []
        self._rest()
        return [CancelJob()]

    def _rest(self) -> None:
        """Nothing is under way."""
        self._enter(Phase.IDLE)
        self.work = self._until = self._training = None

    def _enter(self, phase: Phase) -> None:
        if (self.phase, phase) not in _FORWARD:
            raise LocalProtocolError(f"no way from {self.phase.name} to {phase.name}")
        self.phase = phase

    def _drop_update(self) -> list[ParticipantEffect]:
        if self._update is None:
            return []
        self._update = None
        return [DropUpdate()]
