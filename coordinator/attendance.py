"""Who takes part: where every node stands now and since when, and how its rounds went.

It looks at the federation's machine after every event and decides nothing. Rounds chosen and
counted are those of the federation's whole life; who was late is counted in this life only. A
look costs as much as the nodes that an event names, and the whole cohort once per phase.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from coordinator.alarms import Alarms
from fedtui.rounds.cohort import ENOUGH, Member, Standing
from fedtui.rounds.coordinator import RoundCoordinator
from fedtui.rounds.federation import Federation, Phase
from fedtui.rounds.machine import CoordinatorEvent
from fedtui.rounds.masked_evaluation import MaskedEvaluation
from fedtui.rounds.masked_round import MaskedRound
from fedtui.status.coordinator import NodePhase

Work = RoundCoordinator | MaskedRound
_ALONE_IN_ALARM = 3  # so many names are told, then only the count

# What a node does in a phase of a masked round, before it answered and after.
_MASKED: dict[str, tuple[NodePhase, NodePhase]] = {
    "INVITING": ("train", "ready"),
    "COLLECTING": ("train", "ready"),
    "SHARING": ("share", "answered"),
    "MASKING": ("mask", "delivered"),
    "VOTING": ("vote", "answered"),
    "REVEALING": ("reveal", "answered"),
}


@dataclass(slots=True)
class Attendance:
    """Call `handled` after every batch of events; `name` gives a node's label for people."""

    federation: Federation
    clock: Callable[[], float]
    alarms: Alarms
    name: Callable[[bytes], str]
    chosen: Counter[bytes] = field(default_factory=Counter)
    counted: Counter[bytes] = field(default_factory=Counter)
    late: Counter[bytes] = field(default_factory=Counter)
    attempts_failed: int = 0
    _since: dict[bytes, tuple[NodePhase, float]] = field(default_factory=dict)
    _num_rounds: int = 0
    _work: Work | None = None
    _told: set[bytes] = field(default_factory=set)
    _scene: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        self._add_rounds()

    def handled(self, events: Sequence[CoordinatorEvent]) -> None:
        """The machine took these events; its state is as it is now."""
        self._add_rounds()
        self._look_at_work(events)
        scene = self._what_runs()
        everybody = scene != self._scene
        self._scene = scene
        nodes = self._since.keys() | set(self.federation.present) if everybody else _named(events)
        now = self.clock()
        for node in nodes:
            self._note(node, now)

    def phase_of(self, node: bytes) -> tuple[NodePhase, str, float]:
        """What a node of the federation does, why it does not, and how far it is (0 to 1)."""
        federation = self.federation
        work = federation.attempt
        member = work.members.get(node) if work is not None else None
        if work is not None and member is not None:
            return _in_round(work, node, member)
        here = federation.present.get(node)
        if here is None:
            return "away", "", 0.0
        if here.away:
            return "paused", "", 0.0
        if self._is_measuring(node):
            return "evaluate", "", 0.0
        return "waiting", "", 0.0

    def since(self, node: bytes) -> float:
        """Since when it has done so, UTC seconds; 0 if that was not seen."""
        return self._since.get(node, ("away", 0.0))[1]

    # ---- what happened --------------------------------------------------------------------------

    def _add_rounds(self) -> None:
        rounds = self.federation.rounds
        for finished in rounds[self._num_rounds :]:
            self.chosen.update(finished.cohort)
            self.counted.update(finished.survivors)
        self._num_rounds = len(rounds)

    def _look_at_work(self, events: Sequence[CoordinatorEvent]) -> None:
        """Tell who dropped out of the attempt, also of one that just ended."""
        before, work = self._work, self.federation.attempt
        if before is not None and before is not work:
            self._tell_lost(before, before.members)
            if before.committed is None:
                self.attempts_failed += 1
        if before is not work:
            self._work, self._told = work, set()
        if work is None:
            return
        same = before is work and self._scene == self._what_runs()
        self._tell_lost(work, _named(events) if same else work.members)

    def _tell_lost(self, work: Work, nodes: Iterable[bytes]) -> None:
        gone = [
            node
            for node in nodes
            if node not in self._told
            and (member := work.members.get(node)) is not None
            and member.standing in {Standing.LOST, Standing.DECLINED}
            and member.reason != ENOUGH  # it did nothing wrong
        ]
        if not gone:
            return
        self._told.update(gone)
        self.late.update(node for node in gone if work.members[node].late)
        names = ", ".join(self.name(node) for node in gone[:_ALONE_IN_ALARM])
        more = f" and {len(gone) - _ALONE_IN_ALARM} more" if len(gone) > _ALONE_IN_ALARM else ""
        why = work.members[gone[0]].reason
        self.alarms.ring("dropped out", f"{names}{more} dropped out of round {work.round}: {why}")

    def _note(self, node: bytes, now: float) -> None:
        phase = self.phase_of(node)[0]
        known = self._since.get(node)
        if known is None or known[0] != phase:
            self._since[node] = (phase, now)

    def _what_runs(self) -> tuple[object, ...]:
        federation = self.federation
        work = federation.attempt
        here = (work.round, work.attempt, work.phase) if work is not None else ()
        return federation.phase, here

    def _is_measuring(self, node: bytes) -> bool:
        evaluating = self.federation.evaluating
        if self.federation.phase is not Phase.EVALUATING or evaluating is None:
            return False
        return node in evaluating.awaited


def owing_now(federation: Federation) -> list[bytes]:
    """Those from whom an answer is still to come, in the round or its evaluation."""
    if federation.attempt is not None:
        return [] if _is_closed(federation.attempt) else federation.attempt.owing
    evaluating = federation.evaluating
    if evaluating is None:
        return []
    owing = evaluating.owing if isinstance(evaluating, MaskedEvaluation) else evaluating.awaited
    return sorted(owing)


def _is_closed(work: Work) -> bool:
    """Whether nobody has to be waited for any more."""
    return work.phase.name in {"AGGREGATING", "FINISHED", "FAILED"}


def _in_round(work: Work, node: bytes, member: Member) -> tuple[NodePhase, str, float]:
    """What a member of the cohort does, why it dropped out, and how far it is."""
    match member.standing:
        case Standing.OFFERED:
            return "asked", "", 0.0
        case Standing.DECLINED:
            return "declined", member.reason, 0.0
        case Standing.LOST:
            return "lost", member.reason, 0.0
        case Standing.SENDING:
            return "upload", "", member.fraction if member.stage == "upload" else 0.0
        case Standing.DELIVERED:
            return "delivered", "", 0.0
        case _ if member.away_until is not None:
            return "gone", "its connection is lost; it may come back", 0.0
        case _:
            return _at_work(work, node, member)


def _at_work(work: Work, node: bytes, member: Member) -> tuple[NodePhase, str, float]:
    owes = node in work.awaited and not _is_closed(work)
    if isinstance(work, MaskedRound):
        owes = owes and node not in work.answered
        before, after = _MASKED.get(work.phase.name, ("delivered", "delivered"))
    else:
        before, after = "train", "delivered"
    phase = before if owes else after
    if phase == "train" and member.stage == "download":
        phase = "download"
    fraction = member.fraction if phase in {"train", "download"} else 0.0
    return phase, "", fraction


def _named(events: Sequence[CoordinatorEvent]) -> set[bytes]:
    """The nodes that these events are about."""
    found = (getattr(event, "node", None) for event in events)
    return {node for node in found if isinstance(node, bytes)}
