"""Evaluating: asks nodes to measure one global model, and adds up what they say.

Nodes send sums over their own held-out or test examples, never a figure of their own; the score is
computed from the totals. Who leaves, fails or is late is left out; nobody blocks.
"""

from dataclasses import dataclass, field

from fedtui.learning.metrics import score, sums_for
from fedtui.rounds.coordinator import Frame, total
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
from fedtui.wire.messages import Evaluate, Evaluation, ModelRef, Scored


@dataclass(slots=True)
class Evaluating:
    """One model being measured by `asked`; over once nobody is awaited or `until` has passed."""

    frame: Frame
    model: ModelRef
    until: float
    awaited: set[NodeId]
    sums: dict[NodeId, dict[str, float]] = field(default_factory=dict)
    failures: dict[NodeId, str] = field(default_factory=dict)

    @property
    def deadline(self) -> float | None:
        return self.until if self.awaited else None

    @property
    def over(self) -> bool:
        return not self.awaited

    def begin(self, now: float) -> list[CoordinatorEffect]:
        return [self._ask(node, now) for node in sorted(self.awaited)]

    def handle(self, event: CoordinatorEvent, now: float) -> list[CoordinatorEffect]:
        """Take an answer, a departure, a return or the passing of time."""
        match event:
            case Said(node=node, message=Evaluation() as message):
                self._on_evaluation(node, message)
            case Joined(node=node) if node in self.awaited:
                return [self._ask(node, now)]
            case Left(node=node, for_good=True):
                self.awaited.discard(node)
            case _:
                pass
        if now >= self.until:
            self.awaited.clear()
        return []

    def _on_evaluation(self, node: NodeId, message: Evaluation) -> None:
        current = (message.incarnation, message.round) == (
            self.frame.incarnation,
            self.model.round,
        )
        if node not in self.awaited or not current:
            return
        self.awaited.discard(node)
        if usable(self.frame.plan.task.metric, message.sums):
            self.sums[node] = dict(message.sums)
        else:
            self.failures[node] = message.reason or "its sums are not usable"

    def result(self) -> tuple[Evaluated, Scored] | None:
        """The record and the message for everyone; None if nobody measured anything."""
        if not self.sums:
            return None
        sums = total(self.sums.values())
        metric = self.frame.plan.task.metric
        value = score(metric, sums)
        record = Evaluated(
            round=self.model.round,
            model_digest=self.model.digest,
            sums=sums,
            score=value,
            num_nodes=len(self.sums),
        )
        scored = Scored(
            incarnation=self.frame.incarnation,
            round=self.model.round,
            metric=metric,
            score=value,
            num_examples=round(sums["examples"]),
            num_nodes=len(self.sums),
        )
        return record, scored

    def effects_of(
        self, result: tuple[Evaluated, Scored], everyone: frozenset[NodeId]
    ) -> list[CoordinatorEffect]:
        record, scored = result
        return [Persist(record), *(Send(node, scored) for node in sorted(everyone))]

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


def usable(metric: str, sums: dict[str, float]) -> bool:
    """Whether a node's sums are complete and could come from real examples."""
    if any(name not in sums for name in sums_for(metric)):
        return False
    examples = sums["examples"]
    if not 1 <= examples <= 2**40 or examples != int(examples):
        return False
    return 0 <= sums.get("correct", 0) <= examples and sums.get("squared_error", 0) >= 0
