"""The simulated server: a Federation, a disk that survives crashes, and a spool of updates.

A crash can be planned between any two storage steps: `crash_plan` names the record before or after
whose commit the process dies. What was not committed by then never happened.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fedtui.combining.visible import CannotCombineError, Start
from fedtui.learning.params import Vector
from fedtui.rounds.attempt import Frame
from fedtui.rounds.federation import Federation
from fedtui.rounds.history import replay
from fedtui.rounds.machine import (
    AcceptUpdate,
    Acknowledge,
    Aggregate,
    Aggregated,
    AggregationFailed,
    CoordinatorEffect,
    CoordinatorEvent,
    Discard,
    Finished,
    Persist,
    RefuseUpdate,
    Send,
    Tick,
)
from fedtui.rounds.records import Record, RoundFinished
from fedtui.simulation.mixing import Values
from fedtui.simulation.node_host import TIMER_S, vector_digest
from fedtui.simulation.work import Parcel
from fedtui.strategies.base import State
from fedtui.wire.messages import ModelRef

if TYPE_CHECKING:
    from fedtui.simulation.federation import SimulatedFederation

KEPT_CHANGES = 5
"""As many as a coordinator keeps unless it is told otherwise (keep_checkpoints)."""

CrashPlan = Callable[[str, Record], bool]


class PowerCutError(Exception):
    """The simulated process died here."""


@dataclass(slots=True)
class CoordinatorHost:
    """Survives crashes: `records` (the store), `models` (checkpoints), `spool`, `incarnation`.

    In a world that keeps little of the past `records` stay empty, and it cannot restart. `models`
    hold None where a run is told again from its journal; `states` are what the strategy kept with
    each model that is at hand; `changes` name the base and size of the changes to the newest ones.
    """

    world: "SimulatedFederation"
    clock_offset_s: float = 0.0
    up: bool = True
    incarnation: int = 1
    records: list[Record] = field(default_factory=list)
    models: dict[bytes, Vector | None] = field(default_factory=dict)
    states: dict[bytes, State] = field(default_factory=dict)
    changes: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    spool: dict[tuple[int, int, bytes, bytes], Parcel] = field(default_factory=dict)
    crash_plan: CrashPlan | None = None
    ended: str | None = None
    machine: Federation = field(init=False)
    _armed: float | None = None

    def create(self, initial_D: Vector) -> None:
        """Commit the initial model as round 0 and start."""
        digest = vector_digest(initial_D)
        self.models[digest] = initial_D
        self.states[digest] = self.world.mixer.first_state()
        first = RoundFinished(
            0,
            0,
            model_digest=digest,
            checkpoint_name="round-0",
            sums={},
            num_bytes=initial_D.nbytes,
        )
        self.records.append(first)
        self.world.watch.committed([first])
        self._boot()

    def _boot(self) -> None:
        frame = Frame(
            plan=self.world.plan,
            plan_hash=self.world.plan_hash,
            manifest_digest=self.world.manifest.digest(),
            incarnation=self.incarnation,
            identity=self.world.keys,
            federation_id=self.world.federation_id,
            num_values=self.world.num_values,
        )
        self.machine = Federation(frame, replay(self.records), now=self._now)
        self.ended = self.machine.ended
        self._run(lambda: self.machine.start(self._now))

    @property
    def _now(self) -> float:
        return self.world.clock.now + self.clock_offset_s

    # ---- life and death -----------------------------------------------------------------------

    def crash(self) -> None:
        self.up = False
        self._armed = None
        self.world.coordinator_down()

    def restart(self) -> None:
        """Come back from disk with a new incarnation."""
        if self.up:
            return
        self.up = True
        self.incarnation += 1
        self._boot()

    # ---- events -------------------------------------------------------------------------------

    def feed(self, event: CoordinatorEvent) -> None:
        if self.up:
            self._run(lambda: self.machine.handle(event, self._now))

    def _run(self, handle: Callable[[], list[CoordinatorEffect]]) -> None:
        effects = handle()
        try:
            self._commit([e.record for e in effects if isinstance(e, Persist)])
            for effect in effects:
                self._perform(effect)
        except PowerCutError:
            self.crash()
            return
        self._arm()

    def _commit(self, records: list[Record]) -> None:
        """One transaction: all of the records or none."""
        for record in records:
            self._die_if_planned("before", record)
        if self.world.kept is None:
            self.records.extend(records)
        if records:
            self.world.watch.committed(records)
        for record in records:
            self._die_if_planned("after", record)

    def _die_if_planned(self, when: str, record: Record) -> None:
        if self.crash_plan is not None and self.crash_plan(when, record):
            self.crash_plan = None
            raise PowerCutError

    def _perform(self, effect: CoordinatorEffect) -> None:
        match effect:
            case Persist():
                pass
            case Send(node=node, message=message):
                self.world.to_node(node, message)
            case AcceptUpdate():
                self.world.receive_update(effect)
            case RefuseUpdate(node=node, stream=stream, reason=reason):
                self.world.refuse_update(node, stream, reason)
            case Acknowledge(node=node, stream=stream, digest=digest):
                self.world.acknowledge(node, stream, digest)
            case Aggregate():
                life = self.incarnation
                self.world.clock.after(0.01, lambda: self._aggregate(effect, life))
            case Discard(round=number, attempt=attempt):
                self._discard(number, attempt)
            case Finished(reason=reason):
                self.ended = reason

    def _discard(self, number: int, attempt: int) -> None:
        """Delete the attempt's updates (0: all there are), and models that nobody needs."""
        for key in [k for k in self.spool if number == 0 or k[:2] == (number, attempt)]:
            del self.spool[key]
        keep, rounds = self.machine.keep, self.machine.rounds
        needed = {r.model_digest for r in rounds if r.round in keep}
        if self.world.kept is not None or len(self.models) > 2 * len(keep):
            self.models = {d: m for d, m in self.models.items() if d in needed}
        bases = {r.model_digest for r in rounds if r.round in self.machine.bases}
        self.states = {d: s for d, s in self.states.items() if d in bases}

    def _aggregate(self, effect: Aggregate, incarnation: int) -> None:
        if not self.up or incarnation != self.incarnation:
            return
        answer = self.world.remembered(effect) or self._combine(effect)
        if isinstance(answer, Aggregated):
            digest = answer.model.digest
            if answer.change_bytes:
                self._keep_change(digest, effect.base.digest, answer.change_bytes)
            if digest not in self.models:
                self.models[digest] = None
                if (kept := self.world.kept_model(digest)) is not None:
                    self.models[digest], self.states[digest] = kept
        self.world.combined(effect, answer)
        self.feed(answer)

    def _combine(self, effect: Aggregate) -> Aggregated | AggregationFailed:
        wanted = [(effect.round, effect.attempt, c.node, c.digest) for c in effect.contributions]
        parts = [self.spool[key].content for key in wanted if key in self.spool]
        contents = [content for content in parts if content is not None]
        base_D = self.models.get(effect.base.digest)
        kept = self.states.get(effect.base.digest)
        if len(contents) < len(wanted) or base_D is None or kept is None:
            return AggregationFailed(effect.round, effect.attempt, "updates are gone")
        try:
            mixed = self.world.mixer.mix(effect, Start(Values(base_D), kept), contents)
        except CannotCombineError as error:
            return AggregationFailed(effect.round, effect.attempt, str(error))
        digest = vector_digest(mixed.model_D)
        self.models[digest], self.states[digest] = mixed.model_D, mixed.kept
        model = ModelRef(round=effect.round, digest=digest, num_bytes=mixed.model_D.nbytes)
        name = f"round-{effect.round}"
        return Aggregated(
            effect.round,
            effect.attempt,
            model,
            name,
            mixed.sums,
            mixed.liars,
            mixed.change_bytes,
        )

    def _keep_change(self, digest: bytes, base: bytes, num_bytes: int) -> None:
        self.changes.pop(digest, None)
        self.changes[digest] = (base, num_bytes)
        while len(self.changes) > KEPT_CHANGES:
            del self.changes[next(iter(self.changes))]

    def download_bytes(self, digest: bytes, held: Container[bytes]) -> int:
        """What is sent of a model to who holds these: the changes to it if they are shorter."""
        plain, num_bytes = self.world.manifest.num_bytes, 0
        while digest not in held:
            base, size = self.changes.get(digest, (b"", plain))
            num_bytes += size
            if num_bytes >= plain:
                return plain
            digest = base
        return num_bytes

    # ---- time ---------------------------------------------------------------------------------

    def _arm(self) -> None:
        due = self.machine.deadline
        if due is None or due == self._armed:
            return
        self._armed = due
        self.world.clock.at(due - self.clock_offset_s + TIMER_S, lambda: self._tick(due))

    def _tick(self, due: float) -> None:
        if self.up and self._armed == due:
            self._armed = None
            self.feed(Tick())
