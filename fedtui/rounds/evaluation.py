"""Evaluating: asks nodes to measure one global model, and adds up what they say.

Nodes send sums over their own held-out or test examples, never a figure of their own; the score is
computed from the totals. Who fails or is late is left out, and so is who leaves for longer than
the grace; who comes back within it is asked again. Nobody blocks. After a restart those who
should measure are not back yet: they are awaited as if they had just left, and an evaluator, whose
name a restart does not know, is `expected`.
"""

import math
from dataclasses import dataclass, field

from fedtui.learning.metrics import score
from fedtui.rounds.attempt import Frame
from fedtui.rounds.machine import (
    CoordinatorEffect,
    CoordinatorEvent,
    Joined,
    Left,
    NodeId,
    Persist,
    Said,
    Send,
)
from fedtui.rounds.records import Evaluated
from fedtui.rounds.sums import measured_sums, total
from fedtui.wire.messages import Evaluate, Evaluation, ModelRef, Scored

Outcome = tuple[Evaluated, Scored]


def outcome(
    frame: Frame, model: ModelRef, sums: dict[str, float], num_nodes: int
) -> Outcome | None:
    """What the sums of so many nodes say of a model; None if it is no number."""
    metric = frame.plan.task.metric
    value = score(metric, sums) if num_nodes else math.nan
    if not math.isfinite(value):
        return None
    record = Evaluated(
        round=model.round,
        model_digest=model.digest,
        sums=sums,
        score=value,
        num_nodes=num_nodes,
    )
    scored = Scored(
        incarnation=frame.incarnation,
        round=model.round,
        metric=metric,
        score=value,
        num_examples=min(round(sums["examples"]), 2**53),
        num_nodes=num_nodes,
    )
    return record, scored


def effects_of(found: Outcome, everyone: frozenset[NodeId]) -> list[CoordinatorEffect]:
    """Keep the outcome, and tell everybody."""
    record, scored = found
    return [Persist(record), *(Send(node, scored) for node in sorted(everyone))]


@dataclass(slots=True)
class Evaluating:
    """One model being measured by `awaited`; over once nobody is, or `until` has passed.

    `away_until` holds, for awaited nodes without a session, until when they may come back.
    `expected_until`: an evaluator that joins before then is asked too.
    """

    frame: Frame
    model: ModelRef
    until: float
    awaited: set[NodeId]
    away_until: dict[NodeId, float] = field(default_factory=dict)
    expected_until: float | None = None
    sums: dict[NodeId, dict[str, float]] = field(default_factory=dict)
    failures: dict[NodeId, str] = field(default_factory=dict)

    @property
    def deadline(self) -> float | None:
        if self.over:
            return None
        expected = math.inf if self.expected_until is None else self.expected_until
        return min(self.until, expected, *self.away_until.values())

    @property
    def over(self) -> bool:
        return not self.awaited and self.expected_until is None

    def begin(self, now: float) -> list[CoordinatorEffect]:
        return [self._ask(node, now) for node in sorted(self.awaited - self.away_until.keys())]

    def handle(self, event: CoordinatorEvent, now: float) -> list[CoordinatorEffect]:
        """Take an answer, a departure, a return or the passing of time."""
        effects: list[CoordinatorEffect] = []
        match event:
            case Said(node=node, message=Evaluation() as message):
                self._on_evaluation(node, message)
            case Joined():
                effects = self._on_joined(event, now)
            case Left():
                self._on_left(event, now)
            case _:
                pass
        self._pass_time(now)
        return effects

    def _on_joined(self, event: Joined, now: float) -> list[CoordinatorEffect]:
        if self.expected_until is not None and event.role == "evaluator":
            self.awaited.add(event.node)
            self.expected_until = None
        if event.node not in self.awaited:
            return []
        self.away_until.pop(event.node, None)
        return [self._ask(event.node, now)]

    def _on_left(self, event: Left, now: float) -> None:
        if event.node not in self.awaited:
            return
        if event.for_good:
            self._lose(event.node, "left the federation")
        else:
            self.away_until[event.node] = now + self.frame.plan.deadlines.rejoin_s

    def _pass_time(self, now: float) -> None:
        if self.expected_until is not None and now >= min(self.expected_until, self.until):
            self.expected_until = None
        for node in [n for n, until in self.away_until.items() if now >= until]:
            self._lose(node, "lost the connection and did not come back in time")
        if now >= self.until:
            for node in sorted(self.awaited):
                self._lose(node, "did not answer in time")

    def _lose(self, node: NodeId, reason: str) -> None:
        self.awaited.discard(node)
        self.away_until.pop(node, None)
        self.failures[node] = reason

    def _on_evaluation(self, node: NodeId, message: Evaluation) -> None:
        current = (message.incarnation, message.round) == (
            self.frame.incarnation,
            self.model.round,
        )
        if node not in self.awaited or not current:
            return
        sums = measured_sums(self.frame.plan.task.metric, message.sums)
        if not sums:
            self._lose(node, message.reason or "its sums are not usable")
            return
        self.awaited.discard(node)
        self.away_until.pop(node, None)
        self.sums[node] = sums

    def result(self) -> Outcome | None:
        """The record and the message for everyone; None if nothing came out that is a number."""
        return outcome(self.frame, self.model, total(self.sums.values()), len(self.sums))

    def _ask(self, node: NodeId, now: float) -> Send:
        message = Evaluate(
            incarnation=self.frame.incarnation,
            round=self.model.round,
            plan_hash=self.frame.plan_hash,
            manifest_digest=self.frame.manifest_digest,
            model=self.model,
            deadline_s=max(0.0, self.until - now),
        )
        return Send(node, message)
