"""Turns what the coordinator commits into reports: one per finished round, one per node in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fedtui.rounds.machine import CoordinatorEvent, Said
from fedtui.rounds.records import (
    Evaluated,
    FederationEnded,
    Record,
    RolledBack,
    RoundFailed,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)
from fedtui.simulation.memory import JobKey
from fedtui.simulation.report import NodeReport, RoundReport
from fedtui.simulation.watch import Watch
from fedtui.wire.messages import Declining

if TYPE_CHECKING:
    from fedtui.simulation.village import Village

FAILURES_IN_A_ROW = 20
OnRound = Callable[[RoundReport, list[NodeReport]], None]


@dataclass(slots=True)
class _Attempt:
    """The newest attempt, as far as it came."""

    round: int
    attempt: int
    cohort: tuple[bytes, ...]
    num_present: int
    arrived: set[bytes] = field(default_factory=set)
    counted: frozenset[bytes] = frozenset()
    fates: dict[bytes, str] = field(default_factory=dict)
    finished: RoundFinished | None = None
    score: float | None = None
    rolled_back: str = ""


class Bookkeeper(Watch):
    """Calls `on_round` when a round is finished and measured (or will not be).

    `failures` are the causes of the attempts that failed since the last finished round.
    """

    def __init__(self, on_round: OnRound, wall: Callable[[], float]) -> None:
        self.failures: list[str] = []
        self.village: Village | None = None
        self._on_round = on_round
        self._wall = wall
        self._last_wall = wall()
        self._attempt = _Attempt(0, 0, (), 0)

    # ---- what happens -------------------------------------------------------------------------

    def committed(self, records: Sequence[Record]) -> None:
        for record in records:
            self._read(record)
        if any(isinstance(record, Evaluated | RolledBack) for record in records):
            self._close()

    def told(self, event: CoordinatorEvent) -> None:
        if isinstance(event, Said) and isinstance(event.message, Declining):
            self.fate(event.node, f"declined: {event.message.reason}")

    def fate(self, node: bytes, fate: str) -> None:
        """What kept a node of the newest attempt from counting; the first that is told stays."""
        self._attempt.fates.setdefault(node, fate)

    def _read(self, record: Record) -> None:
        attempt = self._attempt
        match record:
            case RoundStarted(round=number, attempt=of, cohort=cohort):
                self._close()
                present = self._home.coordinator.machine.present
                self._attempt = _Attempt(number, of, cohort, present.num_available)
            case UpdateReceived(node=node):
                attempt.arrived.add(node)
            case SurvivorsChosen(nodes=nodes):
                attempt.counted = frozenset(nodes)
            case RoundFailed(cause=cause):
                self.failures.append(cause)
                self._home.halted = len(self.failures) >= FAILURES_IN_A_ROW
            case RoundFinished(round=number) if number > 0:
                attempt.finished = record
                self.failures.clear()
            case Evaluated(score=score):
                attempt.score = score
            case RolledBack(cause=cause):
                attempt.rolled_back = cause
            case FederationEnded():
                self._close()
            case _:
                pass

    # ---- telling ------------------------------------------------------------------------------

    @property
    def _home(self) -> "Village":
        if self.village is None:
            raise LookupError("there is no village yet")
        return self.village

    def _close(self) -> None:
        attempt, done = self._attempt, self._attempt.finished
        if done is None:
            return
        attempt.finished = None
        home, carried = self._home, self._home.post.carried
        nodes = [self._node(name) for name in attempt.cohort]
        sums, now_s = done.sums, self._wall()
        report = RoundReport(
            round=attempt.round,
            attempt=attempt.attempt,
            metric=home.plan.task.metric,
            score=attempt.score,
            loss=_mean(sums),
            num_present=attempt.num_present,
            num_invited=len(attempt.cohort),
            num_counted=len(attempt.counted),
            num_examples=int(sums.get("examples", 0)),
            seconds=done.seconds,
            ended_s=home.clock.now,
            bytes_up=sum(up for up, _ in carried.values()),
            bytes_down=sum(down for _, down in carried.values()),
            wall_s=now_s - self._last_wall,
            model=done.model_digest.hex(),
            largest_share=done.spread.largest if done.spread is not None else None,
            alike=done.spread.alike if done.spread is not None else None,
            rolled_back=attempt.rolled_back,
        )
        self._last_wall = now_s
        carried.clear()
        home.hands.results.clear()
        self._on_round(report, nodes)

    def _node(self, name: bytes) -> NodeReport:
        attempt, home = self._attempt, self._home
        node, results = home.nodes[name], home.hands.results
        keys = (JobKey("train", node.index, attempt.round, n) for n in _down_from(attempt.attempt))
        trained = next((results[key] for key in keys if key in results), None)
        up, down = home.post.carried.get(name, (0, 0))
        return NodeReport(
            round=attempt.round,
            attempt=attempt.attempt,
            node=node.index,
            fate="counted" if name in attempt.counted else attempt.fates.get(name, "late"),
            num_examples=trained.num_examples if trained else 0,
            loss=_mean(trained.sums) if trained else None,
            train_s=node.trained_s if trained else 0.0,
            bytes_up=up,
            bytes_down=down,
            attack=home.traits[node.index].attack,
        )


def _down_from(attempt: int) -> range:
    """This attempt and those before it: what was trained for one serves the next."""
    return range(attempt, 0, -1)


def _mean(sums: dict[str, float]) -> float | None:
    """Loss per example; None where nothing was told."""
    return sums["loss_sum"] / sums["examples"] if sums.get("examples") else None
