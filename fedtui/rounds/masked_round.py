"""MaskedRound: a masked attempt to train; its vectors are uploads, its sum the next model."""

import msgspec

from fedtui.errors import LocalProtocolError
from fedtui.rounds import masking
from fedtui.rounds.cohort import Cohort, Standing
from fedtui.rounds.history import OpenAttempt
from fedtui.rounds.machine import (
    Aggregate,
    Aggregated,
    Contribution,
    CoordinatorEffect,
    NodeId,
    UpdateOpened,
)
from fedtui.rounds.masked import MaskedAttempt, Phase
from fedtui.rounds.records import Audited, SurvivorsChosen, UpdateReceived
from fedtui.secagg.coordinator import Frozen
from fedtui.wire.codec import canonical
from fedtui.wire.messages import FromCoordinator


class MaskedRound(MaskedAttempt):
    """One attempt whose updates the coordinator cannot read."""

    _sums: dict[str, float] | None = None
    _recorded: tuple[NodeId, ...] = ()

    def resume(self, attempt: OpenAttempt, now: float) -> list[CoordinatorEffect]:
        """Finish an attempt whose survivors were chosen before the coordinator went down.

        Nodes that kept their secrets vote and reveal as before, when they are back.
        """
        if attempt.survivors is None or not attempt.frozen:
            raise LocalProtocolError("only a masked attempt with survivors can be resumed")
        frozen = msgspec.msgpack.decode(attempt.frozen, type=Frozen)
        secret = self._prepare(len(attempt.cohort), attempt.incarnation)
        secret.thaw(frozen)
        self._cohort = Cohort(attempt.cohort)
        until = now + self.frame.plan.deadlines.reveal_s
        for node in attempt.cohort:
            if node in attempt.survivors:
                self._cohort.stand(node, Standing.MASKED)
                self._cohort.leave(node, until)
            else:
                self._cohort.lose(node, "it was lost before the coordinator was restarted")
        for update in attempt.updates:
            if update.node in attempt.survivors:
                self.contributions[update.node] = Contribution(update.node, update.digest, 1)
                self.members[update.node].took_s = update.seconds
        self.phase = Phase.VOTING
        self._survivors = self._recorded = attempt.survivors
        self._until = until
        return []

    @property
    def sums(self) -> dict[str, float]:
        return self._sums or {}

    @property
    def num_ready(self) -> int:
        return len(self.secret.frozen().body.entries)

    def _offer(self, now: float) -> FromCoordinator:
        offer = super()._offer(now)
        left_s = max(0.0, self._until - now)
        return msgspec.structs.replace(
            offer, deadline_s=left_s + masking.opening_s(self.frame.plan)
        )

    # ---- vectors ----------------------------------------------------------------------------

    def _misfit(self, event: UpdateOpened) -> str:
        if event.header is not None:
            return "this plan's updates are masked: nothing of a single one may be said"
        right = (self.encoding.num_bytes, self.frame.manifest_digest)
        if (event.num_bytes, event.manifest_digest) == right:
            return ""
        return f"a masked update has {self.encoding.num_bytes} bytes; {event.num_bytes} came"

    def _receive(self, opened: UpdateOpened, now: float) -> UpdateReceived:
        del now  # how long its work took was known when it was ready
        self._cohort.stand(opened.node, Standing.MASKED)
        self._answered.add(opened.node)
        self.contributions[opened.node] = Contribution(opened.node, opened.digest, 1)
        return UpdateReceived(
            self.round,
            self.attempt,
            node=opened.node,
            digest=opened.digest,
            num_bytes=opened.num_bytes,
            weight=None,
            sums={},
            seconds=self.members[opened.node].took_s,
        )

    def _chosen(self) -> list[CoordinatorEffect]:
        frozen = self.secret.frozen()
        note = Audited(
            actor="coordinator",
            action="roster frozen",
            object=f"round {self.round} attempt {self.attempt}",
            detail=f"{len(frozen.body.entries)} nodes, {self.secret.context2.hex()}",
        )
        self._recorded = self._survivors
        chosen = SurvivorsChosen(
            self.round, self.attempt, nodes=self._survivors, frozen=canonical(frozen)
        )
        return self._write(note, chosen)

    # ---- the sum ----------------------------------------------------------------------------

    def _open(self, now: float) -> list[CoordinatorEffect]:
        effects = self._go_to(Phase.AGGREGATING, self._until, now)
        parts = tuple(self.contributions[node] for node in self._survivors)
        return [*effects, Aggregate(self.round, self.attempt, self.base, parts, self.secret)]

    def _enter_finished(self, event: Aggregated) -> None:
        self._enter(Phase.FINISHED)
        self._sums = event.sums
        spoilt = {node for group in event.groups if group.reason for node in group.nodes}
        self._survivors = tuple(node for node in self._survivors if node not in spoilt)

    @property
    def left_out(self) -> tuple[NodeId, ...]:
        counted = set(self._survivors)
        return tuple(node for node in self._recorded if node not in counted)

    def _finish(self, event: Aggregated, now: float) -> list[CoordinatorEffect]:
        return [*super()._finish(event, now), *self._name(event.liars)]

    def _name(self, liars: tuple[NodeId, ...]) -> list[CoordinatorEffect]:
        """Whoever gave wrong shares although the sum could be opened without them."""
        return self._write(
            *(
                Audited(
                    actor="coordinator",
                    action="wrong shares",
                    object=f"round {self.round} attempt {self.attempt}",
                    detail=f"node {node.hex()}",
                )
                for node in liars
            )
        )
