"""A simulated workstation: a RoundParticipant, its disk, and how fast and reliable it is."""

from collections import Counter, deque
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from fedtui.crypto.keystream import Words
from fedtui.learning.params import Vector
from fedtui.rounds import lateness
from fedtui.rounds.machine import (
    CancelJob,
    Connected,
    Disconnected,
    DropUpdate,
    FetchModel,
    Heard,
    JobFailed,
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
    UpdateAcknowledged,
    UpdateRefused,
    Upload,
)
from fedtui.rounds.masked_participant import MaskedParticipant
from fedtui.rounds.masked_work import Floors, MaskingSide
from fedtui.rounds.masking_steps import Journal, Prepare, Prepared
from fedtui.rounds.participant import RoundParticipant
from fedtui.secagg import masks
from fedtui.secagg.encoding import Hidden
from fedtui.simulation import work
from fedtui.simulation.draws import noise_seed
from fedtui.simulation.work import Duty, Parcel
from fedtui.wire.messages import Abort, FromCoordinator, Result, Role

if TYPE_CHECKING:
    from fedtui.simulation.federation import SimulatedFederation
    from fedtui.simulation.onlooker import Onlooker

TIMER_S = 1e-6
"""A timer is never early; and a clock of years off rounds its readings to less than this."""

_MASKING_SHARE = 10
"""Of the time that training takes, masking and measuring take one part in so many."""


_LEAST_SHARE = 0.001
"""A node makes a step at least, however little time there is."""


def vector_digest(vector_D: Vector | Words) -> bytes:
    """BLAKE2b-256 of the little-endian bytes, as for real models and updates."""
    little = vector_D.astype(vector_D.dtype.newbyteorder("<"), copy=False)
    return blake2b(little.data.cast("B"), digest_size=32).digest()


@dataclass(slots=True)
class NodeHost:
    """Survives crashes: `name`, `notes` (the ledger), `journal`, `models`; nothing else does.

    `index` counts from 0. How much of the past is kept follows from the world's `kept`.
    """

    world: "SimulatedFederation"
    name: bytes
    role: Role
    index: int
    num_examples: int
    train_s: float
    declared: tuple[tuple[str, str], ...] = ()
    clock_offset_s: float = 0.0
    up: bool = True
    stalled: bool = False
    training_sums: dict[str, float] | None = None
    floors: Floors = field(default_factory=Floors)
    machine: RoundParticipant = field(init=False)
    models: deque[bytes] = field(init=False)
    notes: deque[Note] = field(init=False)
    journal: deque[Journal] = field(init=False)
    told: deque[Tell] = field(init=False)
    update: Parcel | None = None
    masked: Parcel | None = None
    uploading: Upload | None = None
    trained_s: float = 0.0  # what its newest training took
    onlooker: "Onlooker | None" = None
    _duty: Duty | None = None
    _job: int = 0
    _life: int = 0
    _armed: float | None = None
    _held: list[ParticipantEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        kept = self.world.kept
        self.models, self.notes = deque(maxlen=kept), deque(maxlen=kept)
        self.journal, self.told = deque(maxlen=kept), deque(maxlen=kept)
        self.machine = self._fresh_machine()

    def _fresh_machine(self) -> RoundParticipant:
        if not self.world.plan.masked:
            stalest = lateness.stalest(self.world.plan)
            return RoundParticipant(role=self.role, refuses=lambda _work: None, stalest=stalest)
        world = self.world
        side = MaskingSide(
            plan=world.plan,
            plan_hash=world.plan_hash,
            num_values=world.num_values,
            federation_id=world.federation_id,
            signer=world.identity(self.name),
            coordinator=world.keys.public,
            entropy=world.rng.bytes,
            aes=world.aes,
            floors=self.floors,
            voted=frozenset((j.attempt.purpose, j.attempt.round) for j in self.journal),
            stuck=self._stuck(),
            declared=dict(self.declared),
        )
        return MaskedParticipant(side, role=self.role, refuses=lambda _work: None)

    def _stuck(self) -> Counter[bytes]:
        """Votes for sums on a model after which no other model was ever named."""
        votes = [j.attempt for j in self.journal if j.step == "vote"]
        newest = votes[-1].model_digest if votes else b""
        return Counter(
            a.model_digest for a in votes if a.purpose == "update" and a.model_digest == newest
        )

    # ---- life and death -----------------------------------------------------------------------

    def crash(self) -> None:
        """Lose all memory; the disk stays."""
        self.up = False
        self._life += 1
        self.update = self.masked = self.uploading = self._armed = None
        self._cancel()
        self.stalled = False
        self._held.clear()
        self.machine = self._fresh_machine()
        if self.onlooker is not None:
            self.onlooker.vanished()

    def restart(self) -> None:
        """Start again, idle, until the network connects it."""
        self.up = True

    def stall(self) -> None:
        """The process stands still (SIGSTOP, a sleeping laptop); what comes in waits."""
        self.stalled = True

    def go_on(self) -> None:
        """It runs again, and finds everything that came meanwhile."""
        self.stalled = False
        held, self._held = self._held, []
        for event in held:
            self.feed(event)

    # ---- events -------------------------------------------------------------------------------

    def hear(self, message: FromCoordinator) -> None:
        if isinstance(message, Result | Abort):
            counted = isinstance(message, Result) and message.counted
            self.world.counted(self, message.round, yes=counted)
        self.feed(Heard(message))

    def connected(self) -> None:
        self.uploading = None
        self.feed(Connected())

    def disconnected(self) -> None:
        self.uploading = None
        self.feed(Disconnected())

    def receipt(self, digest: bytes) -> None:
        if self.uploading is not None:
            self.world.counted(self, self.uploading.round)
        self.uploading = None
        self.feed(UpdateAcknowledged(digest))

    def refused(self, reason: str) -> None:
        self.uploading = None
        self.feed(UpdateRefused(reason))

    def feed(self, event: ParticipantEvent) -> None:
        """What the real driver does: handle, ledger first, then the rest, then one timer."""
        if not self.up:
            return
        if self.stalled:
            self._held.append(event)
            return
        effects = self.machine.handle(event, self.world.clock.now + self.clock_offset_s)
        if self.onlooker is not None:
            self.onlooker.saw(event, effects)
        for effect in sorted(effects, key=lambda e: not isinstance(e, Note | Journal)):
            if self.world.strikes(self, effect):
                return
            self._perform(effect)
        self._arm()

    def _perform(self, effect: ParticipantEffect) -> None:
        match effect:
            case Say(message=message):
                self.world.to_coordinator(self, message)
            case FetchModel(model=model):
                self._fetch(model.digest)
            case Train() | Measure() | Prepare():
                self._work(effect)
            case CancelJob():
                self._cancel()
            case Note():
                self.notes.append(effect)
            case Journal():
                self.journal.append(effect)
                self.world.watch.journalled(self, effect)
            case Upload():
                self.uploading = effect
                self.world.upload(self, effect)
            case StopUpload():
                self.uploading = None
            case DropUpdate():
                self.update = self.masked = None
            case Tell():
                self.told.append(effect)

    def _fetch(self, digest: bytes) -> None:
        if digest in self.models:
            self.world.clock.after(0.0, lambda: self.feed(ModelHere(digest)))
        else:
            self.world.download(self, digest)

    def model_here(self, digest: bytes) -> None:
        if digest not in self.models:
            self.models.append(digest)
        self.feed(ModelHere(digest))

    # ---- the trainer --------------------------------------------------------------------------

    def _work(self, effect: Train | Measure | Prepare) -> None:
        """Begin with it now; it is done later."""
        self._cancel()
        job, seconds = self._job, self.train_s
        if isinstance(effect, Train):
            seconds = self.trained_s = seconds * self.share_of(effect)
        else:
            seconds /= _MASKING_SHARE
        if not isinstance(effect, Prepare):
            self._duty = self.world.work.begin(self, effect)

        def done() -> None:
            if self.up and job == self._job:
                self._done(effect)

        self.world.clock.after(seconds, done)

    def share_of(self, train: Train) -> float:
        """The part of its steps that fits into the time, under a plan that takes partial work."""
        within_s = train.within_s
        if not self.world.plan.deadlines.partial or within_s is None or self.train_s <= within_s:
            return 1.0
        return max(_LEAST_SHARE, within_s / self.train_s)

    def _cancel(self) -> None:
        self._job += 1
        duty, self._duty = self._duty, None
        if duty is not None:
            duty.forget()

    def _done(self, effect: Train | Measure | Prepare) -> None:
        if isinstance(effect, Prepare):
            self._mask(effect)
            return
        duty, self._duty = self._duty, None
        outcome = duty.finish() if duty is not None else work.Failed("the job was lost")
        match outcome:
            case work.Trained(parcel=parcel, header=header) if isinstance(effect, Train):
                self.update = parcel
                self.feed(
                    Trained(
                        effect.round,
                        effect.attempt,
                        digest=parcel.digest,
                        num_bytes=parcel.num_bytes,
                        header=header,
                    )
                )
            case work.Measured(sums=sums):
                self.feed(Measured(effect.round, sums))
            case _:
                reason = outcome.reason if isinstance(outcome, work.Failed) else "no answer"
                attempt = effect.attempt if isinstance(effect, Train) else 0
                self.feed(JobFailed(effect.round, attempt, reason))

    def _mask(self, prepare: Prepare) -> None:
        if self.update is None:
            return
        self.world.watch.masked(self, prepare, self.update)
        made, num_saturated = self._vector(prepare, self.update)
        self.masked = made
        event = Prepared(
            prepare.round, prepare.attempt, made.digest, made.num_bytes, num_saturated
        )
        self.feed(event)

    def _vector(self, prepare: Prepare, update: Parcel) -> tuple[Parcel, int]:
        """The masked vector; one that nobody looks into has another digest, and the same size."""
        if update.content is None:
            digest = blake2b(update.digest, digest_size=32, person=b"masked").digest()
            return Parcel(None, digest, prepare.encoding.num_bytes), 0
        words, num_saturated = masks.masked(
            prepare.encoding,
            update.content.view(np.float32),
            prepare.scalars,
            weight=prepare.weight,
            of=prepare.masks,
            hidden=self._hidden(prepare),
        )
        return Parcel(words, vector_digest(words), words.nbytes), num_saturated

    def _hidden(self, prepare: Prepare) -> Hidden | None:
        if prepare.noise is None:
            return None
        key = (prepare.round, prepare.attempt, self.index)
        return Hidden(prepare.noise, noise_seed(self.world.plan.seed, *key))

    @property
    def outgoing(self) -> Parcel | None:
        """What is being uploaded."""
        return self.masked if self.world.plan.masked else self.update

    # ---- time ---------------------------------------------------------------------------------

    def _arm(self) -> None:
        due = self.machine.deadline
        if due is None or due == self._armed:
            return
        self._armed = due
        self.world.clock.at(due - self.clock_offset_s + TIMER_S, lambda: self._tick(due))

    def _tick(self, due: float) -> None:
        if self._armed == due:
            self._armed = None
            self.feed(Tick())
