"""The simulated server: a Federation, a disk that survives crashes, and a spool of updates.

A crash can be planned between any two storage steps: `crash_plan` names the record before or after
whose commit the process dies. What was not committed by then never happened.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fedtui.aggregators.mean import Mean
from fedtui.crypto.keystream import Words
from fedtui.rounds import masking
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
from fedtui.rounds.sums import TRAINING
from fedtui.secagg import opening
from fedtui.secagg.coordinator import Coordinator, LostError
from fedtui.secagg.encoding import EncodingError
from fedtui.simulation.node_host import TIMER_S, Vector, vector_digest
from fedtui.wire.messages import ModelRef

if TYPE_CHECKING:
    from fedtui.simulation.world import World

CrashPlan = Callable[[str, Record], bool]


class PowerCutError(Exception):
    """The simulated process died here."""


@dataclass(slots=True)
class CoordinatorHost:
    """Survives crashes: `records` (the store), `models` (checkpoints), `spool`, `incarnation`."""

    world: "World"
    clock_offset_s: float = 0.0
    up: bool = True
    incarnation: int = 1
    records: list[Record] = field(default_factory=list)
    models: dict[bytes, Vector] = field(default_factory=dict)
    spool: dict[tuple[int, int, bytes, bytes], Vector | Words] = field(default_factory=dict)
    crash_plan: CrashPlan | None = None
    ended: str | None = None
    machine: Federation = field(init=False)
    _armed: float | None = None

    def create(self, initial_D: Vector) -> None:
        """Commit the initial model as round 0 and start."""
        digest = vector_digest(initial_D)
        self.models[digest] = initial_D
        self.records.append(
            RoundFinished(
                0,
                0,
                model_digest=digest,
                checkpoint_name="round-0",
                sums={},
                num_bytes=initial_D.nbytes,
            )
        )
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
        self.records.extend(records)
        self.world.invariants.check()
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
        needed = {r.model_digest for r in rounds[-2:]} | {self.machine.best.model_digest}
        if len(self.models) > 2 * len(keep):
            self.models = {d: m for d, m in self.models.items() if d in needed}

    def _aggregate(self, effect: Aggregate, incarnation: int) -> None:
        if not self.up or incarnation != self.incarnation:
            return
        wanted = [(effect.round, effect.attempt, c.node, c.digest) for c in effect.contributions]
        parts = [self.spool[key] for key in wanted if key in self.spool]
        if len(parts) < len(wanted):
            self.feed(AggregationFailed(effect.round, effect.attempt, "updates are gone"))
            return
        sums, mean_D = None, np.empty(0)
        try:
            if effect.opener is not None:
                sums, mean_D = self._open(effect.opener, parts)
            else:
                plain = [part.astype(np.float32, copy=False) for part in parts]
                mean_D = Mean().combine(plain, [c.weight for c in effect.contributions])
        except (LostError, EncodingError) as error:
            self.feed(AggregationFailed(effect.round, effect.attempt, str(error)))
            return
        model_D = (self.models[effect.base.digest] + mean_D).astype(np.float32)
        digest = vector_digest(model_D)
        self.models[digest] = model_D
        model = ModelRef(round=effect.round, digest=digest, num_bytes=model_D.nbytes)
        name = f"round-{effect.round}"
        self.feed(Aggregated(effect.round, effect.attempt, model, name, sums))

    def _open(
        self, opener: Coordinator, parts: list[Vector | Words]
    ) -> tuple[dict[str, float], npt.NDArray[np.float64]]:
        """Training sums and mean update, from masked vectors."""
        plan = self.world.plan
        layout = masking.encoding(plan, self.world.num_values, "update")
        total = sum((part.astype(np.uint64) for part in parts), np.zeros(1, np.uint64))
        opened = opening.whole(layout, total, opener.unmasking())
        weight = masking.share_of_full(plan, opened.scalars, len(parts))
        sums = {name: opened.scalars[name] for name in TRAINING}
        return sums, opened.values_D / weight

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
