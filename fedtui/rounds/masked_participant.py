"""MaskedParticipant: every round as one node sees it, under a plan whose updates are masked.

It trains and measures like RoundParticipant. Then, instead of handing its work in, it goes through
the conversation of masked_work.py: nothing of the work leaves before it is masked, and nothing is
revealed that it has not voted for. On top of that it remembers, across restarts (journal):

- in which rounds it voted: it joins no other attempt of those, or two sums over nearly the same
  nodes could be subtracted;
- on which models it voted for sums that never came out as a certified result: more than
  `Floors.same_model` of them, and it declines until its operator says "resume".
"""

from collections import Counter

import msgspec

from fedtui.errors import LocalProtocolError
from fedtui.learning.metrics import sums_for
from fedtui.rounds import answers, lateness, masking, splitting
from fedtui.rounds.answers import Answered
from fedtui.rounds.handing_in import hand_in
from fedtui.rounds.machine import ParticipantEffect, Say, Tell, UpdateAcknowledged, UpdateRefused
from fedtui.rounds.masked_work import MaskedWork, MaskingSide
from fedtui.rounds.masking_steps import Prepared
from fedtui.rounds.participant import Policy, RoundParticipant
from fedtui.rounds.phases import Phase
from fedtui.secagg.participant import RefusedError
from fedtui.wire.masked_messages import Mailbox, Roster, ToMasker
from fedtui.wire.messages import Abort, Evaluate, FromCoordinator, Offer, Result, Role, Scored

_GONE = "this node was restarted since: its secrets of this attempt are gone"

_SLOWER = (
    "its masks are made with chacha20, not with the plan's aegis256: a processor of its nodes has "
    "no AES"
)


class MaskedParticipant(RoundParticipant):
    """A node's machine for masked rounds."""

    def __init__(
        self, side: MaskingSide, *, role: Role, refuses: Policy, paused: bool = False
    ) -> None:
        stalest = lateness.stalest(side.plan)
        super().__init__(role=role, refuses=refuses, paused=paused, stalest=stalest)
        self.masked: MaskedWork | None = None
        self._side = side
        self._voted = set(side.voted)
        self._stuck = Counter(side.stuck)
        self._prepared: Prepared | None = None

    # ---- what the coordinator says --------------------------------------------------------------

    def _on_message(self, message: FromCoordinator, now: float) -> list[ParticipantEffect]:
        if isinstance(message, ToMasker):
            return self._on_masker(message)
        if isinstance(message, Scored) and self._is_at(message.round, Evaluate):
            return [*self._drop_work(), *super()._on_message(message, now)]
        return super()._on_message(message, now)

    def _on_masker(self, message: ToMasker) -> list[ParticipantEffect]:
        if message.incarnation < self._incarnation:
            return []
        self._incarnation = message.incarnation
        masked, work = self.masked, self.work
        if masked is None or work is None or not _same(masked, message):
            return self._decline_unknown(message)
        try:
            answer = masked.hear(message)
        except RefusedError as error:
            return self._refuse(message, str(error))
        if isinstance(message, Roster) and masked.is_slower:
            answer = [*answer, Tell("info", f"round {work.round}: {_SLOWER}")]
        if not isinstance(message, Mailbox):
            if masked.voted:
                self._note_vote(masked)
            return answer
        if masked.num_unopened:
            text = f"the shares of {masked.num_unopened} nodes could not be opened"
            answer = [*answer, Tell("warning", f"round {work.round}: {text}")]
        return [*answer, *self._on_mailbox(masked, work)]

    def _on_mailbox(self, masked: MaskedWork, work: Offer | Evaluate) -> list[ParticipantEffect]:
        """Mask; or, if it is done already, send it once more."""
        if isinstance(work, Evaluate):
            if self.phase is Phase.SHARING:
                self._enter(Phase.MASKING)
                self._enter(Phase.CONFIRMING)
            return masked.sums()
        if self.phase is Phase.SHARING and self._update is not None:
            self._enter(Phase.MASKING)
            return [masked.prepare(self._update[1])]
        if self.phase in {Phase.UPLOADING, Phase.CONFIRMING} and self._prepared is not None:
            return self._send(work, self._prepared)
        return []

    def _note_vote(self, masked: MaskedWork) -> None:
        key = (masked.attempt.purpose, masked.attempt.round)
        if key not in self._voted:
            self._voted.add(key)
            if masked.attempt.purpose == "update":
                self._stuck[masked.attempt.model_digest] += 1

    def _refuse(self, message: ToMasker, reason: str) -> list[ParticipantEffect]:
        """The coordinator lied, or the numbers do not do: this node is out of the attempt."""
        text = f"round {message.round} attempt {message.attempt} is refused: {reason}"
        said = Say(answers.declining(message, reason))
        if isinstance(self.work, Offer):  # repeating the offer changes nothing any more
            self._answered = Answered(
                self.work.incarnation, self.work.round, self.work.attempt, reason
            )
        return [*self._drop_work(), said, Tell("warning", text)]

    def _decline_unknown(self, message: ToMasker) -> list[ParticipantEffect]:
        """An attempt of which nothing is known (any more): nobody should wait for this node."""
        if (message.incarnation, message.round) < self._newest():
            return []
        return [Say(answers.declining(message, _GONE))]

    def _work_s(self, offer: Offer) -> float:
        return max(0.0, offer.deadline_s - masking.opening_s(self._side.plan))

    def _on_evaluate(self, message: Evaluate, now: float) -> list[ParticipantEffect]:
        work = self.work
        if isinstance(work, Evaluate) and work == _as(work, message) and self.masked is not None:
            return [Say(self.masked.ready())] if self.phase is Phase.SHARING else []
        dropped: list[ParticipantEffect] = []
        if isinstance(work, Evaluate) and work.attempt < message.attempt:
            dropped = self._drop_work()  # another attempt at the same model
        reason = self._why_not_measured(message)
        if reason is None or (message.incarnation, message.round) < self._newest():
            return [*dropped, *super()._on_evaluate(message, now)]
        said = Say(answers.evaluation(message, {}, reason))
        return [*dropped, *self._drop_work(), said]

    def _why_not_measured(self, message: Evaluate) -> str | None:
        if self.role != "participant":
            return None
        if not message.attempt:
            return "this plan's sums are masked: they are not told one by one"
        if ("evaluation", message.round) in self._voted:
            return f"it voted for sums over the model of round {message.round} already"
        return self._side.refuses(message.cohort_size, "evaluation")

    def _why_not(self, offer: Offer) -> str | None:
        reason = super()._why_not(offer) or self._side.refuses(offer.cohort_size)
        if reason is not None:
            return reason
        if ("update", offer.round) in self._voted:
            return f"it voted for a sum of round {offer.round} already, and joins no other one"
        if self._stuck[offer.model.digest] >= self._side.floors.same_model:
            return (
                f"{self._stuck[offer.model.digest]} sums on this model were opened without a "
                "result: 'fedtui resume' allows more"
            )
        return None

    def _on_abort(self, message: Abort) -> list[ParticipantEffect]:
        effects = super()._on_abort(message)
        work = self.work
        if isinstance(work, Evaluate) and (work.round, work.attempt) == (
            message.round,
            message.attempt,
        ):
            effects += self._drop_work()
        if ("update", message.round) in self._voted:  # no other attempt of it will want the update
            effects += self._drop_update()
        return effects

    def _on_result(self, message: Result) -> list[ParticipantEffect]:
        # The model moved on; a result that names the same one again answers for no vote.
        self._stuck = Counter({d: n for d, n in self._stuck.items() if d == message.model.digest})
        stop: list[ParticipantEffect] = []
        if message.counted and self._is_at(message.round, Offer):
            stop = (
                super()._drop_work()
            )  # if only the receipt was lost, it is in the sum all the same
        return [*stop, *super()._on_result(message)]

    def _on_operator(self, command: str) -> list[ParticipantEffect]:
        if command == "resume":
            self._stuck.clear()
        return super()._on_operator(command)

    # ---- what this machine reports --------------------------------------------------------------

    def _hand_in(self, offer: Offer) -> list[ParticipantEffect]:
        if self.masked is None or not _is_of(self.masked, offer):
            self.masked, self._prepared = MaskedWork(self._side, offer, base=self._base), None
            self._enter(Phase.SHARING)
        if self.phase is Phase.SHARING:
            return [Say(self.masked.ready())]
        return self._send(offer, self._prepared) if self._prepared is not None else []

    @property
    def _base(self) -> int | None:
        """The round that the update at hand was trained in."""
        return None if self._update is None else self._update[0].round

    def _serves(self, base: Offer, offer: Offer) -> bool:
        """An update that was in a sum that this node voted for is in no other."""
        spent = any(of == "update" and number >= base.round for of, number in self._voted)
        return not spent and super()._serves(base, offer)

    def _answer_again(self, offer: Offer, known: Answered, now: float) -> list[ParticipantEffect]:
        was_sharing = self.phase is Phase.SHARING
        again = super()._answer_again(offer, known, now)
        if was_sharing and self.masked is not None and self.work is not None:
            again.append(Say(self.masked.ready()))
        return again

    def _hand_in_sums(self, work: Evaluate, sums: dict[str, float]) -> list[ParticipantEffect]:
        if not work.attempt:  # an evaluator alone: there is nobody to add up with
            return super()._hand_in_sums(work, sums)
        missing = set(sums_for(self._side.plan.task.metric)) - sums.keys()
        if missing:
            return self._give_up(f"the task here does not tell {', '.join(sorted(missing))}")
        if not splitting.fits(sums):
            return self._give_up("the sums here are too large to be masked: scale the targets")
        self.masked = MaskedWork(self._side, work)
        self._enter(Phase.SHARING)
        return [Say(self.masked.measured(sums))]

    def _on_prepared(self, event: Prepared) -> list[ParticipantEffect]:
        work = self.work
        if self.phase is not Phase.MASKING or not isinstance(work, Offer):
            return []
        if (event.round, event.attempt) != (work.round, work.attempt):
            return []
        self._prepared = event
        told: list[ParticipantEffect] = []
        if event.num_saturated:
            text = f"{event.num_saturated} values were beyond the plan's value_range and were cut"
            told = [Tell("warning", f"round {work.round}: {text}")]
        self._enter(Phase.UPLOADING)
        return [*told, *self._send(work, event)]

    def _send(self, offer: Offer, prepared: Prepared) -> list[ParticipantEffect]:
        if self.masked is None or self._update is None:
            raise LocalProtocolError("a masked update belongs to an attempt, and was trained")
        return hand_in(offer, self._update[1], prepared, incarnation=self._incarnation)

    def _on_upload_over(
        self, event: UpdateAcknowledged | UpdateRefused
    ) -> list[ParticipantEffect]:
        prepared = self._prepared
        if self.phase is not Phase.UPLOADING or prepared is None:
            return []
        if isinstance(event, UpdateRefused):
            self._rest()
            return [Tell("warning", f"the coordinator refused the update: {event.reason}")]
        if event.digest == prepared.digest:
            self._enter(Phase.CONFIRMING)
        return []

    # ---- small parts ----------------------------------------------------------------------------

    def _rest(self) -> None:
        super()._rest()
        self.masked = self._prepared = None

    def _drop_work(self) -> list[ParticipantEffect]:
        voted = self.masked is not None and self.masked.voted
        effects = super()._drop_work()
        return [*effects, *self._drop_update()] if voted else effects

    def _is_at(self, number: int, kind: type[Offer] | type[Evaluate]) -> bool:
        return isinstance(self.work, kind) and self.work.round == number


def _as(work: Evaluate, message: Evaluate) -> Evaluate:
    """The message, if only the time that is left is another."""
    return msgspec.structs.replace(message, deadline_s=work.deadline_s)


def _same(masked: MaskedWork, message: ToMasker) -> bool:
    attempt = masked.attempt
    return (attempt.round, attempt.attempt) == (message.round, message.attempt)


def _is_of(masked: MaskedWork, offer: Offer) -> bool:
    attempt = masked.attempt
    return (attempt.purpose, attempt.round, attempt.attempt, attempt.incarnation) == (
        "update",
        offer.round,
        offer.attempt,
        offer.incarnation,
    )
