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
from fedtui.rounds import choices, machine, masking, masking_steps
from fedtui.telling import showing
from fedtui.telling.showing import PHASES
from fedtui.wire.masked_messages import MaskedSums, Reveal, Vote
from fedtui.wire.messages import Abort, Ended, Evaluate, Evaluation, Offer, Result, Scored, Waiting
from node import masked_rounds, policy, watching
from node.bookkeeping import Bookkeeping, Books
from node.masked_rounds import Stance

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.rounds.machine import ParticipantEffect, ParticipantEvent
    from fedtui.rounds.participant import RoundParticipant
    from fedtui.telling.agreement import Agreement
    from fedtui.wire.messages import FromCoordinator, FromNode, Role
    from node import jobs
    from node.allowance import Allowance
    from node.board import Board
    from node.bookkeeping import Trouble
    from node.config import NodeConfig
    from node.journal import Journal
    from node.ledger import Ledger
    from node.masked_rounds import Parties
    from node.models import Models
    from node.transfers import Transfers
    from node.updates import Updates
    from node.watching import RoundWatch
    from node.work import Work

PROGRESS_EVERY_S = 5.0
_WORSE = "the global model got much worse on this node's own held-out data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a service works with; one set a profile. `clock` gives UTC seconds.

    The journal is there under a plan whose updates are masked, the allowance under one with [dp];
    the service closes both.
    """

    board: Board
    ledger: Ledger
    journal: Journal | None
    allowance: Allowance | None
    models: Models
    updates: Updates
    transfers: Transfers
    work: Work
    watch: RoundWatch
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
        stance = Stance(
            role=contract.role,
            privacy=privacy,
            refuses=self._refuses,
            paused=paused,
            declares=contract.config.declare,
        )
        self._machine = masked_rounds.machine_for(
            contract.agreement, contract.parties, parts.journal, stance
        )
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._queue: deque[ParticipantEvent] = deque()
        self._stepping = False
        self._books = Bookkeeping(
            Books(
                board=parts.board,
                ledger=parts.ledger,
                journal=parts.journal,
                models=parts.models,
                agreement=contract.agreement,
                receiver=contract.receiver,
                num_sent=parts.transfers.num_sent,
                allowance=parts.allowance,
                clock=parts.clock,
            )
        )
        self._said_progress = float("-inf")
        self._final = b""
        self._refused = b""  # the model that got much worse
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
                self._handle(self._queue.popleft())
        finally:
            self._stepping = False
        self._arm()
        self._parts.changed()

    def _handle(self, event: ParticipantEvent) -> None:
        watch = self._parts.watch
        if isinstance(event, machine.Heard):
            match event.message:
                case Result(round=number, counted=counted):
                    self._parts.transfers.settle(number, counted=counted)
                case Abort(round=number):
                    self._parts.transfers.settle(number, counted=False)
                case _:
                    pass
        effects = self._machine.handle(event, self._loop.time())
        deadline = self._machine.deadline
        left_s = 0.0 if deadline is None else deadline - self._loop.time()
        moment = watch.moment()  # what the effects send belongs to what begins now
        self._perform(effects)
        if isinstance(event, machine.Trained):
            self._weigh(event.header.num_examples)
        watch.saw(event, effects, watch.now(self._machine, left_s, moment), self._machine)

    def _weigh(self, num_examples: int) -> None:
        """Tell what this node's update counts."""
        plan = self._contract.agreement.plan
        declared = choices.told(plan, self._contract.config.declare)
        weight = masking.weight_of(plan, num_examples, declared)
        text = f"this update is of {num_examples:,} examples and counts {weight:,}"
        self._parts.board.log("info", text, "train")

    def judged(self, number: int, judged: jobs.Judged) -> str:
        """The trainer judged the model of a round on what this node holds out: shown, not sent.

        Return why nothing trained on that model may be sent, "" if it may.
        """
        refuses = self._contract.config.model.got_worse == "refuse"
        worse = self._parts.watch.judged(number, judged, refuses=refuses)
        work = self._machine.work
        if not (worse and refuses) or work is None:
            return ""
        self._refused = work.model.digest
        return _WORSE

    def refresh(self) -> None:
        """Bring bytes and seconds of the step under way up to date."""
        self._parts.watch.refresh()

    def close(self) -> None:
        """No more timers; the machine's memory goes with this object."""
        if self._timer is not None:
            self._timer.cancel()
        self._parts.work.cancel()
        self._parts.watch.close()
        self._books.close()

    def use_config(self, config: NodeConfig) -> None:
        """Go on under other limits."""
        self._contract = replace(self._contract, config=config)
        if self._parts.allowance is not None:
            self._parts.allowance.allow(config.privacy.epsilon)

    def allow(self) -> None:
        """The operator allows more sums on a model that the node voted for before."""
        self._books.allow()

    # ---- events -------------------------------------------------------------------------------

    def heard(self, message: FromCoordinator) -> None:
        """Take a control message: keep what it proves, show what it says, tell the machine."""
        board, models = self._parts.board, self._parts.models
        match message:
            case Result():
                if self._books.certify(message):
                    self._books.answer_for(message)
                watching.saw_result(board, message)
                self._books.keep_head(message)
            case Scored():
                board.post(status.ScoreSeen(score=showing.score_of(message)))
                text = f"round {message.round}: {message.metric} {message.score:.4f}"
                board.log("info", text, "round")
            case Waiting():
                self.coordinator_paused = message.paused
                waiting = status.Waiting(have=message.present, need=message.needed)
                board.post(status.WaitingFor(waiting=waiting))
            case Ended():
                self._on_ended(message)
            case Offer() | Evaluate():
                self._goes_back(message)
                self.coordinator_paused = False  # nobody says that it goes on but by going on
                board.post(status.WaitingFor(waiting=None))
            case _:
                pass
        self.step(machine.Heard(message))
        try:
            models.tidy(self._wanted_digest())
        except OSError as error:
            board.log("warning", f"old models cannot be removed: {error.strerror or error}")

    def _goes_back(self, message: Offer | Evaluate) -> None:
        if not isinstance(message, Offer):
            return
        undone = self._books.goes_back(message)
        if undone is not None:
            after = message.model.round
            text = f"round {undone} was rolled back: going on from the model after round {after}"
            self._parts.board.log("warning", text, "round")

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
        fraction = self._parts.watch.progressed(progress)
        now, work = self._loop.time(), self._machine.work
        if isinstance(work, Offer) and now - self._said_progress >= PROGRESS_EVERY_S:
            self._said_progress = now
            self.step(machine.TrainerProgressed(work.round, work.attempt, fraction))

    # ---- effects ------------------------------------------------------------------------------

    def _perform(self, effects: list[ParticipantEffect]) -> None:
        for effect in effects:
            if trouble := self._write_down(effect):
                self._hold_back(effects, trouble)
                return
        for effect in effects:
            self._do(effect)

    def _hold_back(self, effects: list[ParticipantEffect], trouble: Trouble) -> None:
        """Send nothing of this call but that nothing comes, and why."""
        reason = trouble.reason
        self._parts.board.problem(f"{reason}; nothing is sent", remedy=trouble.remedy)
        if trouble.disk:
            self._parts.board.alarm("disk", f"{reason}; nothing is sent", remedy=trouble.remedy)
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

    def _write_down(self, effect: ParticipantEffect) -> Trouble | None:
        """What must be on disk before anything is said; why it is not, if it is not."""
        match effect:
            case machine.Note():
                return self._books.note(effect, self._machine.work, self._contract.config)
            case masking_steps.Journal():
                return self._books.witness(effect, self._machine.work)
            case _:
                return None

    def _do(self, effect: ParticipantEffect) -> None:
        parts, contract = self._parts, self._contract
        match effect:
            case machine.Say(message=message):
                parts.say(message)
            case machine.Train():
                self._said_progress = self._loop.time()
                parts.watch.began_training()
                parts.work.train(effect, contract.agreement, contract.config)
            case machine.Measure():
                parts.work.measure(effect, contract.agreement, contract.config)
            case masking_steps.Prepare():
                parts.work.mask(effect)
            case machine.CancelJob():
                parts.work.cancel()
            case machine.Note() | masking_steps.Journal():
                pass
            case machine.Tell(level=level, text=text):
                parts.board.log(level, text, "round")
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
        if work.model.digest == self._refused:
            return _WORSE
        allowance = self._parts.allowance
        if allowance is not None and (why := allowance.refuses()):
            return why
        today = self._parts.ledger.num_bytes_on(self._parts.clock())
        return policy.refuses_training(config) or policy.refuses_upload(
            agreement.upload_bytes, num_bytes_today=today, config=config
        )

    def _on_ended(self, message: Ended) -> None:
        parts = self._parts
        self.ended = message.reason or "its rounds are done"
        parts.board.log("info", f"the federation is over: {self.ended}")
        if not self._books.certify(message):
            parts.over()
            return
        self._final = message.model.digest
        if parts.models.has(message.model.digest):
            parts.over()
        elif self._contract.role != "observer":
            parts.transfers.fetch_model(message.model)

    def _wanted_digest(self) -> bytes:
        work = self._machine.work
        return work.model.digest if work is not None else b""

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._machine.deadline is not None:
            self._timer = self._loop.call_at(self._machine.deadline, self.step, machine.Tick())
