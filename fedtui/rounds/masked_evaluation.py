"""MaskedEvaluation: a model is measured by nodes whose sums the coordinator sees added up only.

The conversation of masked.py with a vector of a few words: it comes in a message, is kept in
memory and nothing of it is written down, so a crash costs the score of that round and no more.
Nobody accepts first; who cannot measure says so, as everywhere, with an Evaluation without sums.
"""

import math

import numpy as np

from fedtui.errors import LocalProtocolError
from fedtui.rounds import splitting
from fedtui.rounds.attempt import Frame, Peer
from fedtui.rounds.cohort import Standing
from fedtui.rounds.evaluation import Outcome, outcome
from fedtui.rounds.machine import (
    Aggregated,
    CoordinatorEffect,
    CoordinatorEvent,
    Joined,
    NodeId,
    Said,
    UpdateOpened,
)
from fedtui.rounds.masked import MaskedAttempt, Phase
from fedtui.rounds.records import Record, UpdateReceived
from fedtui.rounds.sums import measured_sums
from fedtui.secagg import opening
from fedtui.secagg.coordinator import LostError
from fedtui.secagg.encoding import EncodingError
from fedtui.wire.messages import (
    Evaluate,
    Evaluation,
    FromCoordinator,
    FromMasker,
    MaskedSums,
    ModelRef,
)


class MaskedEvaluation(MaskedAttempt):
    """One model being measured; over with sums, or with a reason why there are none."""

    purpose = "evaluation"

    def __init__(
        self, frame: Frame, *, number: int, attempt: int, base: ModelRef, started: float
    ) -> None:
        super().__init__(frame, number=number, attempt=attempt, base=base, started=started)
        self._sums: dict[str, float] = {}
        self._vectors: dict[NodeId, bytes] = {}

    def ask(
        self, nodes: frozenset[NodeId], coming: dict[NodeId, float], now: float
    ) -> list[CoordinatorEffect]:
        """Ask these nodes; those that are `coming` when they are back, until the given times."""
        if not nodes:
            self._enter_failed()
            return []
        effects = self.begin(nodes, now)
        for node in nodes:
            self._cohort.stand(node, Standing.TRAINING)
        for node, until in coming.items():
            self._cohort.leave(node, until)
        return [*effects, *self._settle(now)]

    def handle(self, event: CoordinatorEvent, now: float) -> list[CoordinatorEffect]:
        """Take an answer, a departure, a return or the passing of time."""
        if isinstance(event, Joined) and event.keys is not None and event.node in self.members:
            peer = Peer(event.keys, event.not_before)
            self.introduce({**self._peers, event.node: peer})
        return super().handle(event, now)

    @property
    def _work_s(self) -> float:
        return self.frame.plan.deadlines.evaluate_s

    @property
    def sums(self) -> dict[str, float]:
        return self._sums

    def result(self) -> Outcome | None:
        """The record and the message for everyone; None if nothing came out that is a number."""
        sums = measured_sums(self.frame.plan.task.metric, self._sums)
        return outcome(self.frame, self.base, sums, len(self._survivors) if sums else 0)

    def _offer(self, now: float) -> FromCoordinator:
        deadlines = self.frame.plan.deadlines
        return Evaluate(
            incarnation=self.frame.incarnation,
            round=self.round,
            attempt=self.attempt,
            cohort_size=len(self.members),
            plan_hash=self.frame.plan_hash,
            manifest_digest=self.frame.manifest_digest,
            model=self.base,
            deadline_s=max(0.0, self._until - now)
            + deadlines.share_s
            + deadlines.mask_s
            + deadlines.reveal_s,
        )

    # ---- events ---------------------------------------------------------------------------------

    def _on_said(self, event: Said, now: float) -> list[CoordinatorEffect]:
        message = event.message
        if isinstance(message, Evaluation) and event.node in self.awaited:
            ours = (message.incarnation, message.round) == (self.frame.incarnation, self.round)
            if ours and not message.sums:
                self._cohort.lose(event.node, message.reason or "cannot measure the model")
            return []
        return super()._on_said(event, now)

    def _on_more(self, node: NodeId, message: FromMasker) -> list[CoordinatorEffect]:
        if isinstance(message, MaskedSums) and self.phase is Phase.MASKING:
            whole = len(message.words) == self.encoding.num_bytes
            if whole and node not in self._answered:
                self._vectors[node] = message.words
            self._count(node, whole)
        return []

    def _open(self, now: float) -> list[CoordinatorEffect]:
        self._go_to(Phase.AGGREGATING, math.inf, now)
        words = np.zeros(self.encoding.num_words, np.uint64)
        for node in self._survivors:
            words += np.frombuffer(self._vectors[node], "<u8")
        try:
            (half,) = self.secret.groups.values()  # held-out sums are never split
            opened = opening.whole(self.encoding, words, half.unmasking())
        except (LostError, EncodingError) as error:
            return self._fail(str(error))
        self._sums = splitting.joined(self.frame.plan.task.metric, opened.scalars)
        self._enter(Phase.FINISHED)
        return []

    # ---- what a round has and this has not ------------------------------------------------------

    def _write(self, *records: Record) -> list[CoordinatorEffect]:
        del records
        return []

    def _chosen(self) -> list[CoordinatorEffect]:
        return []

    def _misfit(self, event: UpdateOpened) -> str:
        del event
        return "no update belongs to an evaluation"

    def _receive(self, opened: UpdateOpened, now: float) -> UpdateReceived:
        del opened, now
        raise LocalProtocolError("no update belongs to an evaluation")

    def _enter_finished(self, event: Aggregated) -> None:
        del event
        raise LocalProtocolError("an evaluation makes no model")
