"""A simulated workstation: a RoundParticipant, its disk, and how fast and reliable it is."""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fedtui.rounds.machine import (
    CancelJob,
    Connected,
    Disconnected,
    DropUpdate,
    FetchModel,
    Heard,
    Journal,
    Measure,
    Measured,
    ModelHere,
    Note,
    ParticipantEffect,
    ParticipantEvent,
    Prepare,
    Prepared,
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
from fedtui.rounds.participant import RoundParticipant
from fedtui.secagg import masks
from fedtui.simulation.clock import Action
from fedtui.wire.messages import FromCoordinator, Role, UpdateHeader

if TYPE_CHECKING:
    from fedtui.simulation.world import World

TIMER_S = 1e-6
"""A timer is never early; and a clock of years off rounds its readings to less than this."""

Vector = npt.NDArray[np.float32]


def vector_digest(vector_D: Vector | npt.NDArray[np.uint64]) -> bytes:
    """BLAKE2b-256 of the little-endian bytes, as for real models and updates."""
    little = vector_D.dtype.newbyteorder("<")
    return blake2b(vector_D.astype(little).tobytes(), digest_size=32).digest()


@dataclass(slots=True)
class NodeHost:
    """Survives crashes: `name`, `notes` (the ledger), `journal`, `models`; nothing else does."""

    world: "World"
    name: bytes
    role: Role
    num_examples: int
    train_s: float
    clock_offset_s: float = 0.0
    up: bool = True
    stalled: bool = False
    training_sums: dict[str, float] | None = None
    machine: RoundParticipant = field(init=False)
    models: set[bytes] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)
    journal: list[Journal] = field(default_factory=list)
    floors: Floors = field(default_factory=Floors)
    told: list[Tell] = field(default_factory=list)
    update_D: Vector | None = None
    vector: npt.NDArray[np.uint64] | None = None
    uploading: Upload | None = None
    job: int = 0
    _life: int = 0
    _armed: float | None = None
    _held: list[ParticipantEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machine = self._fresh_machine()

    def _fresh_machine(self) -> RoundParticipant:
        if not self.world.plan.masked:
            return RoundParticipant(role=self.role, refuses=lambda _work: None)
        world = self.world
        side = MaskingSide(
            plan=world.plan,
            plan_hash=world.plan_hash,
            num_values=world.num_values,
            federation_id=world.federation_id,
            signer=world.identity(self.name),
            coordinator=world.keys.public,
            entropy=world.rng.bytes,
            floors=self.floors,
            voted=frozenset((j.attempt.purpose, j.attempt.round) for j in self.journal),
            stuck=self._stuck(),
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
        self.update_D = self.vector = self.uploading = self._armed = None
        self.stalled = False
        self._held.clear()
        self.machine = self._fresh_machine()

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
        self.feed(Heard(message))

    def connected(self) -> None:
        self.uploading = None
        self.feed(Connected())

    def disconnected(self) -> None:
        self.uploading = None
        self.feed(Disconnected())

    def receipt(self, digest: bytes) -> None:
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
        for effect in sorted(effects, key=lambda e: not isinstance(e, Note | Journal)):
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
                self.job += 1
            case Note():
                self.notes.append(effect)
            case Journal():
                self.journal.append(effect)
                self.world.invariants.journalled(self, effect)
            case Upload():
                self.uploading = effect
                self.world.upload(self, effect)
            case StopUpload():
                self.uploading = None
            case DropUpdate():
                self.update_D = self.vector = None
            case Tell():
                self.told.append(effect)

    def _fetch(self, digest: bytes) -> None:
        if digest in self.models:
            self.world.clock.after(0.0, lambda: self.feed(ModelHere(digest)))
        else:
            self.world.download(self, digest)

    def model_here(self, digest: bytes) -> None:
        self.models.add(digest)
        self.feed(ModelHere(digest))

    # ---- the trainer --------------------------------------------------------------------------

    def _work(self, effect: Train | Measure | Prepare) -> None:
        match effect:
            case Train():
                self._start_job(self.train_s, lambda: self._trained(effect))
            case Measure():
                self._start_job(self.train_s / 10, lambda: self._measured(effect))
            case Prepare():
                self._start_job(self.train_s / 10, lambda: self._masked(effect))

    def _start_job(self, seconds: float, done: Action) -> None:
        self.job += 1
        job, life = self.job, self._life

        def finish() -> None:
            if self.up and (job, life) == (self.job, self._life):
                done()

        self.world.clock.after(seconds, finish)

    def _trained(self, train: Train) -> None:
        seed = [self.world.seed, train.round, int.from_bytes(self.name[:4], "little")]
        values = np.random.default_rng(seed).normal(0, 0.1, self.world.num_values)
        self.update_D = values.astype(np.float32)
        sums = {"loss_sum": 1.0 * self.num_examples, "examples": float(self.num_examples)}
        if self.training_sums is not None:
            sums = self.training_sums
        self.feed(
            Trained(
                train.round,
                train.attempt,
                digest=vector_digest(self.update_D),
                num_bytes=self.update_D.nbytes,
                header=UpdateHeader(num_examples=self.num_examples, sums=sums),
            )
        )

    def _masked(self, prepare: Prepare) -> None:
        if self.update_D is None:
            return
        self.world.invariants.masked(self, prepare, self.update_D)
        vector, num_saturated = masks.masked(
            prepare.encoding,
            self.update_D,
            prepare.scalars,
            weight=prepare.weight,
            of=prepare.masks,
        )
        self.vector = vector
        digest = vector_digest(vector)
        event = Prepared(
            prepare.round, prepare.attempt, digest, vector.nbytes, num_saturated=num_saturated
        )
        self.feed(event)

    @property
    def outgoing(self) -> npt.NDArray[np.float32] | npt.NDArray[np.uint64] | None:
        """What is being uploaded."""
        return self.vector if self.world.plan.masked else self.update_D

    def _measured(self, measure: Measure) -> None:
        self.feed(Measured(measure.round, self.world.measure(self, measure.round)))

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
