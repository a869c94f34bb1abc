"""RoundCoordinator: one attempt with visible updates, as the coordinator sees it.

An Offer goes to every member of the cohort. Who accepts trains at once; who declines, stays silent
until the accept deadline, leaves for longer than the grace, or is late with its update is left
behind. As soon as nobody is awaited any more, or as many updates are here as its terms want, the
attempt closes: enough updates are aggregated, too few fail the attempt and the federation starts
the next one. See attempt.py for the rest.
"""

from enum import Enum

from fedtui.errors import LocalProtocolError
from fedtui.rounds import compression, guiding, lateness, masking, strategic
from fedtui.rounds.attempt import Attempt, Frame
from fedtui.rounds.cohort import Cohort, Standing
from fedtui.rounds.history import Answer, OpenAttempt
from fedtui.rounds.machine import (
    Aggregate,
    Aggregated,
    Contribution,
    CoordinatorEffect,
    NodeId,
    Persist,
    UpdateOpened,
)
from fedtui.rounds.records import SurvivorsChosen, UpdateReceived
from fedtui.rounds.spread import Spread, spread_of
from fedtui.rounds.sums import strategy_scalars, total, training_sums
from fedtui.wire.messages import ModelRef


class Phase(Enum):
    """Where the attempt stands."""

    INVITING = "waiting for the cohort to accept"
    COLLECTING = "nodes train and send their updates"
    AGGREGATING = "the updates become the next model"
    FINISHED = "the next model is on disk"
    FAILED = "the attempt came to nothing"


TRANSITIONS: dict[tuple[Phase, str], Phase] = {
    (Phase.INVITING, "all answered, or accept deadline"): Phase.COLLECTING,
    (Phase.INVITING, "too few left"): Phase.FAILED,
    (
        Phase.COLLECTING,
        "nobody awaited, or update deadline, and enough updates",
    ): Phase.AGGREGATING,
    (Phase.COLLECTING, "too few left"): Phase.FAILED,
    (Phase.AGGREGATING, "aggregated"): Phase.FINISHED,
    (Phase.AGGREGATING, "not usable"): Phase.FAILED,
}
_FORWARD = {(start, end) for (start, _), end in TRANSITIONS.items()}


class RoundCoordinator(Attempt):
    """One attempt whose updates the coordinator can read."""

    phase: Phase

    def __init__(
        self, frame: Frame, *, number: int, attempt: int, base: ModelRef, started: float
    ) -> None:
        super().__init__(frame, number=number, attempt=attempt, base=base, started=started)
        self.phase = Phase.INVITING
        self._sums: dict[NodeId, dict[str, float]] = {}
        self._scalars = strategic.scalars(frame.plan)
        self._guide = guiding.guide_of(frame.plan)
        self._num_bytes = compression.update_bytes(frame.plan, base.num_bytes // 4)

    def resume(self, attempt: OpenAttempt, now: float) -> list[CoordinatorEffect]:
        """Finish an attempt whose survivors were chosen before the coordinator went down."""
        del now  # nobody has to be waited for
        if attempt.survivors is None:
            raise LocalProtocolError("only an attempt with survivors can be resumed")
        self._cohort = Cohort(attempt.cohort)
        for node in attempt.cohort:
            self._cohort.lose(node, "the coordinator was restarted")
        for update in attempt.updates:
            if update.node in attempt.survivors:
                self._cohort.stand(update.node, Standing.DELIVERED)
                self._count(update.node, update.digest, round(update.weight or 0), update.sums)
                self.members[update.node].took_s = update.seconds
        self.phase = Phase.AGGREGATING
        self._survivors = attempt.survivors
        return [self._aggregate()]

    # ---- what others may ask --------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        if self.phase not in {Phase.INVITING, Phase.COLLECTING}:
            return None
        times = [self._until, *self._cohort.away_until()]
        if self.phase is Phase.INVITING:
            times.append(self._accept_until)
        return min(times)

    @property
    def sums(self) -> dict[str, float]:
        return total(self._sums.values())

    @property
    def spread(self) -> Spread | None:
        return spread_of([self.contributions[node].weight for node in self._survivors])

    @property
    def over(self) -> bool:
        return self.phase in {Phase.FINISHED, Phase.FAILED}

    # ---- events ---------------------------------------------------------------------------------

    def _misfit(self, event: UpdateOpened) -> str:
        right = (self._num_bytes, self.frame.manifest_digest)
        if (event.num_bytes, event.manifest_digest) != right:
            return (
                f"an update has {self._num_bytes} bytes in the layout of the plan's model; "
                f"{event.num_bytes} were offered"
            )
        if event.header is None:
            return "updates are not masked under this plan"
        base = self.round if event.header.base is None else event.header.base
        if not 0 <= self.round - base <= lateness.stalest(self.frame.plan):
            return f"an update that was trained in round {base} does not count in this one"
        if strategy_scalars(self._scalars, event.header.sums) is None:
            return f"updates under this plan come with positive {' and '.join(self._scalars)}"
        return ""

    def _receive(self, opened: UpdateOpened, now: float) -> UpdateReceived:
        header = opened.header
        if header is None:
            raise LocalProtocolError("a masked update among visible ones")
        self._cohort.stand(opened.node, Standing.DELIVERED)
        declared = self.terms.declared.get(opened.node, {})
        weight = masking.weight_of(self.frame.plan, header.num_examples, declared)
        behind = 0 if header.base is None else self.round - header.base
        said = header.sums | {lateness.BEHIND: float(behind)}
        sums = self._count(opened.node, opened.digest, weight, said)
        seconds = self.members[opened.node].took_s = max(0.0, now - self._began)
        return UpdateReceived(
            self.round,
            self.attempt,
            node=opened.node,
            digest=opened.digest,
            num_bytes=opened.num_bytes,
            weight=float(weight),
            sums=sums,
            seconds=seconds,
        )

    def _count(
        self, node: NodeId, digest: bytes, weight: int, sums: dict[str, float]
    ) -> dict[str, float]:
        """Count an update, and return what of its sums is kept."""
        shown = self._sums[node] = training_sums(sums)
        scalars = strategy_scalars(self._scalars, sums) or {}
        if behind := sums.get(lateness.BEHIND):
            scalars |= {lateness.BEHIND: behind}
        self.contributions[node] = Contribution(node, digest, weight, scalars)
        return shown | scalars

    def _answer(self, node: NodeId) -> Answer:
        return Answer(self.members[node].took_s, self._sums.get(node, {}))

    def _on_tick(self, now: float) -> None:
        self._lose_the_away(now)
        accept_over = self.phase is Phase.INVITING and now >= self._accept_until
        update_over = now >= self._until
        for node, member in list(self.awaited.items()):
            if accept_over and member.standing is Standing.OFFERED:
                self._cohort.lose(node, "did not answer the offer in time", late=True)
            elif update_over:
                self._cohort.lose(node, "its update came too late", late=True)

    # ---- closing --------------------------------------------------------------------------------

    def _settle(self, now: float) -> list[CoordinatorEffect]:
        del now
        if self.phase not in {Phase.INVITING, Phase.COLLECTING}:
            return []
        minimum = self.frame.plan.minimum
        num_open, num_done = len(self.awaited), len(self.contributions)
        guided = not self._guide or guiding.among(self._guide, self.contributions) is not None
        if num_open + num_done < minimum:
            return self._fail(
                f"{num_done + num_open} of {len(self.members)} nodes were left, "
                f"{minimum} are needed ({self._cohort.reasons()})"
            )
        if self._guide is not None and not (guided or guiding.among(self._guide, self.awaited)):
            return self._fail(
                "the node whose update the aggregator trusts was left behind "
                f"({self._cohort.reasons()})"
            )
        effects: list[CoordinatorEffect] = []
        if self.terms.enough is not None and num_done >= self.terms.enough and guided:
            self._cohort.let_go()
            num_open = 0
        if self.phase is Phase.INVITING and not self._cohort.num_offered:
            self._enter(Phase.COLLECTING)
            effects.append(Persist(self._phase_record()))
        if self.phase is Phase.COLLECTING and not num_open:
            effects += self._close()
        return effects

    def _close(self) -> list[CoordinatorEffect]:
        self._enter(Phase.AGGREGATING)
        self._survivors = tuple(sorted(self.contributions))
        chosen = SurvivorsChosen(self.round, self.attempt, nodes=self._survivors)
        return [Persist(chosen), Persist(self._phase_record()), self._aggregate()]

    def _aggregate(self) -> Aggregate:
        parts = tuple(self.contributions[node] for node in self._survivors)
        return Aggregate(self.round, self.attempt, self.base, parts)

    def _enter_finished(self, event: Aggregated) -> None:
        del event  # the sums came with the updates
        self._enter(Phase.FINISHED)

    def _enter_failed(self) -> None:
        self._enter(Phase.FAILED)

    def _enter(self, phase: Phase) -> None:
        if phase is not Phase.FAILED and (self.phase, phase) not in _FORWARD:
            raise LocalProtocolError(f"no way from {self.phase.name} to {phase.name}")
        self.phase = phase
