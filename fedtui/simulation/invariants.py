"""What must be true after every step of a world, whoever crashes, lies or vanishes.

I2  a committed model is its base plus exactly the weighted mean of the recorded survivors (FedAvg)
I3  each (round, attempt, node) counts at most once
I4  no node reveals for two survivor sets of one round
I5  no mask key is used twice
I6  what was acknowledged is in the store
I7  a round's phase only moves forward within one incarnation
I10 nobody is in the sum who did not accept the offer and deliver
I11 no sum of fewer survivors than the plan's minimum, of a group too
I12 nothing leaves a node that is not in its ledger
I13 an update counts in the round it was trained for, or so many rounds later as the plan says
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from fedtui.learning.params import Vector
from fedtui.rounds import lateness, masking
from fedtui.rounds.history import replay
from fedtui.rounds.machine import CoordinatorEvent, Said, UpdateOpened, Upload
from fedtui.rounds.masking_steps import Journal, Prepare
from fedtui.rounds.plan import AggregatorSection
from fedtui.rounds.records import (
    PhaseEntered,
    Record,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)
from fedtui.simulation.node_host import NodeHost, vector_digest
from fedtui.simulation.watch import Watch
from fedtui.simulation.work import Parcel
from fedtui.wire.masked_messages import Ready
from fedtui.wire.messages import Accepting, FromNode

if TYPE_CHECKING:
    from fedtui.simulation.world import World

_ORDER = {
    name: number
    for number, name in enumerate(
        ("INVITING", "COLLECTING", "SHARING", "MASKING", "VOTING", "REVEALING", "AGGREGATING")
    )
}


class InvariantError(AssertionError):
    """An invariant was broken; the message names it and the seed that shows it."""


class Invariants(Watch):
    """Reads the coordinator's store as it grows and holds it against the invariants."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self._num_read = 0
        self._attempt = (0, 0)
        self._phase = -1
        self._life = 0
        self._cohort: frozenset[bytes] = frozenset()
        self._base = b""
        self._incarnation = 0
        self._accepted: set[bytes] = set()
        self._opened: set[tuple[bytes, bytes]] = set()
        self._updates: dict[bytes, UpdateReceived] = {}
        self._survivors: tuple[bytes, ...] | None = None
        self._model = b""
        self._revealed: dict[tuple[bytes, str, int], tuple[bytes, bytes]] = {}
        self._mask_keys: dict[bytes, tuple[int, int, int]] = {}
        self._plain: dict[tuple[int, int, bytes], tuple[Vector, Fraction]] = {}

    def journalled(self, node: NodeHost, entry: Journal) -> None:
        """I4, I11: a node wrote down what it goes along with."""
        key = (node.name, entry.attempt.purpose, entry.attempt.round)
        known = self._revealed.setdefault(key, entry.sets)
        self._hold(known == entry.sets, "I4: a node went along with two survivor sets")
        numbers = masking.numbers(self.world.plan, len(self._cohort), entry.attempt.purpose)
        least = numbers.minimum if entry.attempt.purpose == "update" else 3
        self._hold(entry.num_survivors >= least, "I11: a node voted for too few survivors")

    def said(self, node: NodeHost, message: FromNode) -> None:  # noqa: ARG002 - whoever says it
        """I5: a node is ready with keys of this attempt; it may say so again."""
        if not isinstance(message, Ready):
            return
        attempt = (message.incarnation, message.round, message.attempt)
        known = self._mask_keys.setdefault(message.mask_key, attempt)
        self._hold(known == attempt, "I5: a mask key was used for two attempts")

    def masked(self, node: NodeHost, prepare: Prepare, parcel: Parcel) -> None:
        """What a node masks, so that the sum can be held against it."""
        key = (prepare.round, prepare.attempt, node.name)
        self._plain[key] = (_content(parcel), Fraction(prepare.weight))

    def acknowledged(self, node: bytes, digest: bytes) -> None:
        """I6: an acknowledgement is about to be sent."""
        known = any(
            isinstance(r, UpdateReceived) and (r.node, r.digest) == (node, digest)
            for r in reversed(self.world.coordinator.records)
        )
        self._hold(known, "I6: acknowledged an update that is not in the store")

    def told(self, event: CoordinatorEvent) -> None:
        """The coordinator is about to hear this; who accepts or opens the attempt is noted."""
        match event:
            case Said(node=node, message=Accepting() as message) if self._is_current(message):
                self._accepted.add(node)
            case UpdateOpened(node=node, digest=digest) if self._is_current(event):
                self._opened.add((node, digest))
            case _:
                pass

    def _is_current(self, said: Accepting | UpdateOpened) -> bool:
        which = (said.incarnation, said.round, said.attempt)
        return which == (self._incarnation, *self._attempt)

    def uploads(self, node: NodeHost, upload: Upload) -> None:
        """I12: a node is about to send its update."""
        known = any(
            (n.round, n.attempt, n.digest) == (upload.round, upload.attempt, upload.digest)
            for n in reversed(node.notes)
        )
        self._hold(known, "I12: an update leaves that is not in the ledger")

    def remembered(self) -> None:
        """I6: what the machine knows of finished rounds is what a restart would read."""
        host = self.world.coordinator
        if not host.up:  # what a dead process knew beyond its store never happened
            return
        known = replay(host.records).rounds
        self._hold(tuple(host.machine.rounds) == known, "I6: a restart would read other rounds")

    def committed(self, records: Sequence[Record]) -> None:  # noqa: ARG002 - reads the store
        self.step()

    def step(self) -> None:
        """Read what was committed since the last call."""
        records = self.world.coordinator.records
        while self._num_read < len(records):
            self._read(records[self._num_read])
            self._num_read += 1

    def _read(self, record: Record) -> None:
        match record:
            case RoundStarted():
                self._on_started(record)
            case PhaseEntered():
                life = self.world.coordinator.incarnation
                forward = life > self._life or _ORDER[record.phase] > self._phase
                self._hold(forward, f"I7: {record.phase} after a later phase")
                self._phase, self._life = _ORDER[record.phase], life
            case UpdateReceived():
                self._hold(record.node not in self._updates, "I3: an update counted twice")
                self._hold(record.node in self._cohort, "I10: an update from outside the cohort")
                self._hold(record.node in self._accepted, "I10: an update of who did not accept")
                offered = (record.node, record.digest) in self._opened
                self._hold(offered, "I10: an update that was offered for another attempt")
                self._hold(self._delivered(record), "I10: an update that was not delivered")
                behind = record.sums.get(lateness.BEHIND, 0)
                in_time = 0 <= behind <= lateness.stalest(self.world.plan)
                self._hold(in_time, f"I13: an update that is {behind:g} rounds late")
                self._updates[record.node] = record
            case SurvivorsChosen():
                self._hold(self._survivors is None, "I2: the survivors were chosen twice")
                self._hold(set(record.nodes) <= set(self._updates), "I10: a survivor sent nothing")
                enough = len(record.nodes) >= self._least_in_all
                self._hold(enough, "I11: too few survivors")
                self._survivors = record.nodes
            case RoundFinished():
                self._on_finished(record)
            case _:
                pass

    def _on_started(self, record: RoundStarted) -> None:
        attempt = (record.round, record.attempt)
        self._hold(attempt > self._attempt, "I7: an attempt was started again")
        self._attempt = attempt
        self._phase, self._life = _ORDER[record.phase], record.incarnation
        self._cohort = frozenset(record.cohort)
        self._base = record.model_digest
        self._incarnation = record.incarnation
        self._accepted = set()
        self._opened = set()
        self._updates = {}
        self._survivors = None
        self._hold(record.model_digest == self._model, "I2: a round began on another model")

    def _on_finished(self, record: RoundFinished) -> None:
        if record.round > 0:
            self._hold(
                (record.round, record.attempt) == self._attempt, "I7: another attempt finished"
            )
            self._hold(bool(self._survivors), "I2: finished without survivors")
            left_out = set(record.left_out)
            self._survivors = tuple(n for n in self._survivors or () if n not in left_out)
            plan = self.world.plan  # other strategies and rules step otherwise than by the mean
            if plan.strategy.name == "fedavg" and plan.aggregator == AggregatorSection():
                self._check_sum(record)
        self._model = record.model_digest

    def _check_sum(self, record: RoundFinished) -> None:
        """I2, recomputed in exact rational arithmetic from the spool."""
        host = self.world.coordinator
        survivors = self._survivors or ()
        if self.world.plan.masked:
            parts = {n: self._plain[record.round, record.attempt, n] for n in survivors}
        else:
            parts = {
                n: (self._spooled(n, record), Fraction(int(self._updates[n].weight or 0)))
                for n in survivors
            }
        total = sum((weight for _, weight in parts.values()), Fraction(0))
        steps = Fraction(self._step) * len(survivors) / total  # each may be rounded by one step
        model_D, base_D = host.models[record.model_digest], host.models[self._base]
        if model_D is None or base_D is None:
            raise InvariantError("I2: a model of this world has no values")
        for index in range(len(model_D)):
            exact = Fraction(float(base_D[index])) + sum(
                (
                    weight / total * Fraction(float(update_D[index]))
                    for update_D, weight in parts.values()
                ),
                Fraction(0),
            )
            error = abs(float(model_D[index]) - float(exact))
            limit = float(np.spacing(np.float32(abs(float(exact)) + 1e-6))) + float(steps)
            if self.world.plan.privacy.group is not None:  # means of groups are float32
                limit += max(abs(float(u[index])) for u, _ in parts.values()) * 2.0**-23
            self._hold(error <= limit, "I2: the sum is not that of the survivors")

    def _delivered(self, record: UpdateReceived) -> bool:
        key = (record.round, record.attempt, record.node, record.digest)
        parcel = self.world.coordinator.spool.get(key)
        return parcel is not None and vector_digest(_content(parcel)) == record.digest

    @property
    def _step(self) -> float:
        """By how much a masked value may be rounded."""
        plan = self.world.plan
        if not plan.masked:
            return 0.0
        return 1 / masking.encoding(plan, self.world.num_values, "update").scale

    @property
    def _least_in_all(self) -> int:
        """How many survivors there are at least, in all groups together."""
        plan = self.world.plan
        if not plan.masked or plan.privacy.group is None:
            return plan.minimum
        numbers = masking.numbers(plan, plan.minimum)
        return masking.enough_groups(masking.LEAST_GROUPS) * numbers.least_of_group

    def _spooled(self, node: bytes, record: RoundFinished) -> Vector:
        digest = self._updates[node].digest
        return _content(self.world.coordinator.spool[record.round, record.attempt, node, digest])

    def _hold(self, truth: bool, what: str) -> None:
        if not truth:
            raise InvariantError(
                f"{what} (round {self._attempt}; replay with World(seed={self.world.seed}))"
            )


def _content(parcel: Parcel) -> Vector:
    """The very values of an update of a world of tests; masked words as they are."""
    if parcel.content is None:
        raise InvariantError("an update of this world has no values")
    return parcel.content  # type: ignore[return-value]  # words are only hashed
