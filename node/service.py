"""NodeService: drives one RoundParticipant and performs what it asks for; decides nothing.

    session, trainer, operator --> step(event) --> machine.handle --> effects
    effects: Note (ledger) and Journal first, synced, the rest in order; then one timer

Write down, then speak: if ledger or journal cannot be written, nothing of that call leaves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from fedtui import status
from fedtui.rounds import machine
from fedtui.rounds.plan import MASKED
from fedtui.wire.messages import (
    Ended,
    Evaluate,
    Evaluation,
    MaskedSums,
    Offer,
    Result,
    Reveal,
    Scored,
    Vote,
    Waiting,
)
from node import masked_rounds, policy
from node.journal import ConflictError
from node.ledger import Entry
from node.masked_rounds import Stance
from node.showing import PHASES

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.rounds.machine import ParticipantEffect, ParticipantEvent
    from fedtui.rounds.participant import RoundParticipant
    from fedtui.wire.messages import FromCoordinator, FromNode, Role
    from node import jobs
    from node.board import Board
    from node.config import NodeConfig
    from node.journal import Journal
    from node.ledger import Ledger
    from node.masked_rounds import Parties
    from node.models import Models
    from node.terms import Agreement
    from node.transfers import Transfers
    from node.updates import Updates
    from node.work import Work

PROGRESS_EVERY_S = 5.0
_JOURNAL_FAILS = "the node's journal cannot be written"
_MEND_DISK = "free some space, or mend the disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a service works with; one set a profile. `clock` gives UTC seconds.

    The journal is there under a plan whose updates are masked, and the service closes it.
    """

    board: Board
    ledger: Ledger
    journal: Journal | None
    models: Models
    updates: Updates
    transfers: Transfers
    work: Work
    clock: Callable[[], float]
    say: Callable[[FromNode], None]
    changed: Callable[[], None]
    over: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What this node agreed to, and with whom; `receiver` names them in the ledger."""

    agreement: Agreement
    parties: Parties
    config: NodeConfig
    role: Role
    receiver: str


class NodeService:
    """One federation, as far as rounds go. Sessions come and go around it."""

    def __init__(self, parts: Parts, contract: Contract, *, paused: bool = False) -> None:
        self._parts = parts
        self._contract = contract
        privacy = contract.config.privacy
        stance = Stance(role=contract.role, privacy=privacy, refuses=self._refuses, paused=paused)
        self._machine = masked_rounds.machine_for(
            contract.agreement, contract.parties, parts.journal, stance
        )
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._queue: deque[ParticipantEvent] = deque()
        self._stepping = False
        self._noted: set[tuple[int, int, bytes]] = set()
        self._covered: tuple[bytes, int] = (b"", 0)  # an update's digest, bytes noted of it
        self._said_progress = float("-inf")
        self._final = b""
        self.ended = ""
        self.coordinator_paused = False

    @property
    def phase(self) -> status.Phase:
        return PHASES[self._machine.phase][1]

    @property
    def participant(self) -> RoundParticipant:
        """For the screen's line only: what is under way."""
        return self._machine

    def is_under(self, plan_hash: bytes, federation_id: bytes) -> bool:
        """Whether this is the plan that its rounds follow, in this federation."""
        contract = self._contract
        known = contract.agreement.plan_hash, contract.parties.federation_id
        return known == (plan_hash, federation_id)

    def step(self, event: ParticipantEvent) -> None:
        """Hand an event to the machine and do what it says; events that this causes wait."""
        self._queue.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._queue:
                self._perform(self._machine.handle(self._queue.popleft(), self._loop.time()))
        finally:
            self._stepping = False
        self._arm()
        self._show()

    def close(self) -> None:
        """No more timers; the machine's memory goes with this object."""
        if self._timer is not None:
            self._timer.cancel()
        self._parts.work.cancel()
        if self._parts.journal is not None:
            self._parts.journal.close()

    def use_config(self, config: NodeConfig) -> None:
        """Go on under other limits."""
        self._contract = replace(self._contract, config=config)

    def allow(self) -> None:
        """The operator allows more sums on a model that the node voted for before."""
        if self._parts.journal is not None:
            try:
                self._parts.journal.allow()
            except OSError as error:
                self._parts.board.log("warning", f"{_JOURNAL_FAILS}: {error.strerror}")

    # ---- events -------------------------------------------------------------------------------

    def heard(self, message: FromCoordinator) -> None:
        """Take a control message: keep what it proves, show what it says, tell the machine."""
        board, models = self._parts.board, self._parts.models
        match message:
            case Result():
                if self._certify(message):
                    self._answer_for(message)
                board.post(status.RoundCounted(round=message.round, counted=message.counted))
                board.log("info", _sentence_of(message))
                self._keep_head(message)
            case Scored():
                board.post(status.ScoreSeen(score=_score_of(message)))
                board.log("info", f"round {message.round}: {message.metric} {message.score:.4f}")
            case Waiting():
                self.coordinator_paused = message.paused
                waiting = status.Waiting(have=message.present, need=message.needed)
                board.post(status.WaitingFor(waiting=waiting))
            case Ended():
                self._on_ended(message)
            case Offer() | Evaluate():
                self.coordinator_paused = False  # nobody says that it goes on but by going on
                board.post(status.WaitingFor(waiting=None))
            case _:
                pass
        self.step(machine.Heard(message))
        try:
            models.tidy(self._wanted_digest())
        except OSError as error:
            board.log("warning", f"old models cannot be removed: {error.strerror or error}")

    def model_here(self, digest: bytes) -> None:
        self.step(machine.ModelHere(digest))
        if digest == self._final:
            self._parts.over()

    def model_lost(self, digest: bytes, reason: str) -> None:
        """The model cannot be had: nobody should wait for work on it."""
        work = self._machine.work
        if work is not None and work.model.digest == digest:
            attempt = work.attempt if isinstance(work, Offer) else 0
            self.step(machine.JobFailed(work.round, attempt, reason))

    def progressed(self, progress: jobs.Progress) -> None:
        """Show how far the trainer is; the coordinator hears of it now and then."""
        done = (progress.epoch - 1) * progress.num_batches + progress.batch
        fraction = done / max(1, progress.num_epochs * progress.num_batches)
        training = status.Training(
            fraction=fraction,
            epoch=progress.epoch,
            num_epochs=progress.num_epochs,
            batch=progress.batch,
            num_batches=progress.num_batches,
            loss=progress.loss,
            examples_per_s=progress.examples_per_s,
        )
        self._parts.board.post_quick(status.TrainingMoved(training=training))
        now, work = self._loop.time(), self._machine.work
        if isinstance(work, Offer) and now - self._said_progress >= PROGRESS_EVERY_S:
            self._said_progress = now
            self.step(machine.TrainerProgressed(work.round, work.attempt, fraction))

    # ---- effects ------------------------------------------------------------------------------

    def _perform(self, effects: list[ParticipantEffect]) -> None:
        for effect in effects:
            if trouble := self._write_down(effect):
                self._hold_back(effects, *trouble)
                return
        for effect in effects:
            self._do(effect)

    def _hold_back(self, effects: list[ParticipantEffect], reason: str, remedy: str) -> None:
        """Send nothing of this call but that nothing comes, and why."""
        self._parts.board.problem(f"{reason}; nothing is sent", remedy=remedy)
        for effect in effects:
            match effect:
                case machine.Upload():
                    self._queue.append(machine.UploadFailed(reason))
                case machine.Say(message=MaskedSums() | Vote() | Reveal() as unsaid):
                    work = self._machine.work
                    attempt = unsaid.attempt if isinstance(work, Offer) else 0
                    self._queue.append(machine.JobFailed(unsaid.round, attempt, reason))
                case machine.Say(message=Evaluation() as answer):
                    self._parts.say(msgspec.structs.replace(answer, sums={}, reason=reason))
                case _:
                    pass

    def _write_down(self, effect: ParticipantEffect) -> tuple[str, str] | None:
        """What must be on disk before anything is said; why it is not, and the remedy."""
        match effect:
            case machine.Note():
                return self._note(effect)
            case machine.Journal():
                return self._witness(effect)
            case _:
                return None

    def _witness(self, effect: machine.Journal) -> tuple[str, str] | None:
        journal, work = self._parts.journal, self._machine.work
        if journal is None:
            return "this node keeps no journal under this plan", "that is a bug: please report it"
        try:
            is_new = journal.note(effect)
        except OSError as error:
            return f"{_JOURNAL_FAILS}: {error.strerror}", _MEND_DISK
        except ConflictError as error:
            return str(error), "look at journal.jsonl, and ask the coordinator's operator why"
        if is_new and effect.step == "vote" and isinstance(work, Offer):
            plan = self._contract.agreement.plan
            text = masked_rounds.what_is_known(plan, effect, work.cohort_size)
            self._parts.board.log("info", text)
        return None

    def _note(self, note: machine.Note) -> tuple[str, str] | None:
        """Write the ledger; return why it cannot be, and the remedy.

        An upload that goes on is one entry, however often it is opened. But one that the
        coordinator lets come again and again is noted again, and passes no limit.
        """
        key = (note.round, note.attempt, note.digest or note.what.encode())
        if key in self._noted and self._is_covered(note):
            return None
        today = self._parts.ledger.num_bytes_on(self._parts.clock())
        config = self._contract.config
        if why := policy.refuses_upload(note.num_bytes, num_bytes_today=today, config=config):
            return why, "fedtui limit --upload-per-day MB, or wait until midnight UTC"
        entry = Entry(
            at=self._parts.clock(),
            round=note.round,
            attempt=note.attempt,
            what=note.what + self._among(note),
            form=note.form,
            num_bytes=note.num_bytes,
            digest=note.digest.hex(),
            receiver=self._contract.receiver,
        )
        try:
            self._parts.ledger.append(entry)
        except OSError as error:
            why = f"the node's ledger cannot be written: {error.strerror}"
            return why, _MEND_DISK
        self._noted = {one for one in self._noted if one[0] >= note.round} | {key}
        before = self._covered[1] if self._covered[0] == note.digest else 0
        self._covered = (note.digest, before + note.num_bytes)
        self._parts.board.post(status.LedgerWritten(line=entry.line()))
        return None

    def _among(self, note: machine.Note) -> str:
        masked = note.form == MASKED
        plan, work = self._contract.agreement.plan, self._machine.work
        return masked_rounds.in_cohort(plan, work) if masked else ""

    def _is_covered(self, note: machine.Note) -> bool:
        """Whether no more has left than was noted: so far what is sent only goes on."""
        noted = self._covered[1] if self._covered[0] == note.digest else 0
        return not note.num_bytes or self._parts.transfers.num_sent(note.digest) <= noted

    def _do(self, effect: ParticipantEffect) -> None:
        parts, contract = self._parts, self._contract
        match effect:
            case machine.Say(message=message):
                parts.say(message)
            case machine.Train():
                self._said_progress = self._loop.time()
                parts.work.train(effect, contract.agreement, contract.config)
            case machine.Measure():
                parts.work.measure(effect, contract.agreement, contract.config)
            case machine.Prepare():
                parts.work.mask(effect)
            case machine.CancelJob():
                parts.work.cancel()
            case machine.Note() | machine.Journal():
                pass
            case machine.Tell(level=level, text=text):
                parts.board.log(level, text)
            case _:
                self._transfer(effect)

    def _transfer(
        self,
        effect: machine.FetchModel | machine.Upload | machine.StopUpload | machine.DropUpdate,
    ) -> None:
        parts = self._parts
        match effect:
            case machine.FetchModel(model=model):
                if parts.models.has(model.digest):
                    self._queue.append(machine.ModelHere(model.digest))
                else:
                    parts.transfers.fetch_model(model)
            case machine.Upload():
                parts.transfers.upload(effect)
            case machine.StopUpload():
                parts.transfers.stop_upload()
            case machine.DropUpdate():
                parts.work.stop_masking()
                parts.updates.drop()

    # ---- small parts --------------------------------------------------------------------------

    def _refuses(self, work: Offer | Evaluate) -> str | None:
        """The operator's policy, asked by the machine before it accepts."""
        agreement, config = self._contract.agreement, self._contract.config
        if work.plan_hash != agreement.plan_hash:
            return "this is not the plan that the node's operator agreed to"
        if work.manifest_digest != agreement.manifest.digest():
            return "the model's shape is not the one that the node's operator agreed to"
        if work.model.num_bytes != agreement.manifest.num_bytes:
            return "the model's size does not fit the shape agreed to"
        if isinstance(work, Evaluate):
            return None
        today = self._parts.ledger.num_bytes_on(self._parts.clock())
        return policy.refuses_training(config) or policy.refuses_upload(
            agreement.upload_bytes, num_bytes_today=today, config=config
        )

    def _on_ended(self, message: Ended) -> None:
        parts = self._parts
        self.ended = message.reason or "its rounds are done"
        parts.board.log("info", f"the federation is over: {self.ended}")
        if not self._certify(message):
            parts.over()
            return
        self._final = message.model.digest
        if parts.models.has(message.model.digest):
            parts.over()
        elif self._contract.role != "observer":
            parts.transfers.fetch_model(message.model)

    def _certify(self, message: Result | Ended) -> bool:
        """Note the committed model; False if it cannot be one of this federation's."""
        board, num_bytes = self._parts.board, self._contract.agreement.manifest.num_bytes
        if message.model.num_bytes != num_bytes:
            text = f"has {message.model.num_bytes} bytes; the model agreed to has {num_bytes}"
            board.log("warning", f"what the coordinator names as the model {text}")
            return False
        final, score = isinstance(message, Ended), getattr(message, "score", None)
        counted = isinstance(message, Result) and message.counted
        try:
            self._parts.models.certify(message.model, final=final, score=score, counted=counted)
        except OSError as error:
            board.log("warning", f"the committed model is not noted: {error.strerror or error}")
        return True

    def _answer_for(self, message: Result) -> None:
        """Note in the journal that the votes of this round came to something."""
        if self._parts.journal is None:
            return
        try:
            self._parts.journal.result(message.round, message.model.digest)
        except OSError as error:
            self._parts.board.log("warning", f"{_JOURNAL_FAILS}: {error.strerror}")

    def _keep_head(self, message: Result) -> None:
        head = message.audit_head
        if head is None:
            return
        entry = Entry(
            kind="head",
            at=self._parts.clock(),
            round=message.round,
            attempt=message.attempt,
            sequence=head.sequence,
            hash=head.hash.hex(),
            signature=head.signature.hex(),
            receiver=self._contract.receiver,
        )
        try:
            self._parts.ledger.keep_head(entry)
        except OSError as error:
            self._parts.board.log("warning", f"the audit head is not kept: {error.strerror}")

    def _wanted_digest(self) -> bytes:
        work = self._machine.work
        return work.model.digest if work is not None else b""

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._machine.deadline is not None:
            self._timer = self._loop.call_at(self._machine.deadline, self.step, machine.Tick())

    def _show(self) -> None:
        work = self._machine.work
        shown = self._parts.board.status.round
        attempt = work.attempt if isinstance(work, Offer) else 0
        left_s = self._machine.deadline - self._loop.time() if self._machine.deadline else 0.0
        moved = status.Round(
            number=work.round if work else shown.number,
            attempt=attempt if work else shown.attempt,
            phase=self.phase,
            deadline_at=round(self._parts.clock() + left_s) if work else 0.0,
        )
        if (moved.number, moved.attempt, moved.phase) != (
            shown.number,
            shown.attempt,
            shown.phase,
        ):
            self._parts.board.post(status.RoundMoved(round=moved))
        self._parts.changed()


def _score_of(message: Scored) -> status.Score:
    return status.Score(
        round=message.round,
        metric=message.metric,
        score=message.score,
        num_examples=message.num_examples,
        num_nodes=message.num_nodes,
    )


def _sentence_of(message: Result) -> str:
    mine = "yours is in it" if message.counted else "yours is not in it"
    return f"round {message.round} committed with {message.num_updates} updates, {mine}"
