"""What happens, as it happens: for the log, for Prometheus, for `follow`, and bytes per round.

It watches records after their commit and events after they were handled; it decides nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog

from coordinator.alarms import Alarms
from coordinator.metrics import Metrics
from coordinator.roster import Roster
from coordinator.savings import Savings
from fedtui.crypto.keys import short_id
from fedtui.rounds import lateness
from fedtui.rounds.federation import Federation
from fedtui.rounds.machine import CoordinatorEvent, Joined, Left, Said
from fedtui.rounds.picking import Terms
from fedtui.rounds.records import (
    Audited,
    Evaluated,
    FederationEnded,
    FederationPaused,
    FederationResumed,
    Record,
    RolledBack,
    RoundFailed,
    RoundFinished,
    RoundStarted,
    UpdateReceived,
)
from fedtui.status.coordinator import MAX_AWAITED, Alarm
from fedtui.wire.messages import Progress

log = structlog.get_logger(__name__)

MAX_WAITING = 2000  # lines that a follower may lag behind before it is let go
Line: TypeAlias = dict[str, object]


class Followers:
    """Those who listen to `follow`, each with a queue; None in it is the end."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Line | None]] = set()

    def join(self) -> "asyncio.Queue[Line | None]":
        queue: asyncio.Queue[Line | None] = asyncio.Queue(MAX_WAITING)
        self._queues.add(queue)
        return queue

    def leave(self, queue: "asyncio.Queue[Line | None]") -> None:
        self._queues.discard(queue)

    def tell(self, line: Line) -> None:
        """To everybody; who does not read is let go."""
        for queue in list(self._queues):
            if queue.full():
                self._queues.discard(queue)
                queue.get_nowait()
                queue.put_nowait(None)
            else:
                queue.put_nowait(line)

    def end(self) -> None:
        """Nothing will come any more."""
        for queue in self._queues:
            if not queue.full():
                queue.put_nowait(None)
        self._queues.clear()


@dataclass(slots=True)
class Chronicle:
    """`traffic` gives all bytes received from and sent to nodes so far."""

    federation: Federation
    roster: Roster
    metrics: Metrics
    clock: Callable[[], float]
    traffic: Callable[[], tuple[int, int]]
    savings: Savings
    followers: Followers = field(default_factory=Followers)
    per_round: dict[int, tuple[int, int]] = field(default_factory=dict)
    _round: int | None = None
    _before: tuple[int, int] = (0, 0)
    _phase: str = ""
    _phase_began: float = 0.0
    alarms: Alarms = field(init=False)

    def __post_init__(self) -> None:
        self.alarms = Alarms(self.clock, self._rang)

    def note(self, event: str, **fields: object) -> None:
        """Something that is neither a record nor an event of the machine."""
        self._say(event, **fields)

    def asks(self, node: bytes) -> None:
        """A node waits for approval."""
        self._say("asks", node=short_id(node), label=self._label(node))

    def name_of(self, node: bytes) -> str:
        """A node for people: its label, else its short id."""
        return self._label(node) or f"node {short_id(node)}"

    def committed(self, records: Sequence[Record]) -> None:
        """These facts are durable now."""
        for record in records:
            self._note(record)

    def handled(self, events: Sequence[CoordinatorEvent]) -> None:
        """The machine took these events; its state is as it is now."""
        for event in events:
            line = self._line_of(event)
            if line is not None:
                self.followers.tell(line)
        self._watch_phase()

    def bytes_of_rounds(self) -> dict[int, tuple[int, int]]:
        """(bytes up, bytes down) by round, the current one included."""
        if self._round is None:
            return dict(self.per_round)
        return self.per_round | {self._round: self._since()}

    # ---- records --------------------------------------------------------------------------------

    def _note(self, record: Record) -> None:
        match record:
            case RoundStarted():
                self._turn_page(record.round)
                self._say(
                    "round started",
                    round=record.round,
                    attempt=record.attempt,
                    cohort=len(record.cohort),
                    **self._terms(),
                )
            case UpdateReceived():
                self._update(record)
            case RoundFinished():
                self._finished(record)
            case RoundFailed():
                self.metrics.rounds.labels("failed").inc()
                self._say(
                    "round failed", round=record.round, attempt=record.attempt, text=record.cause
                )
                self.alarms.ring("round failed", f"round {record.round} failed: {record.cause}")
            case Audited(action="wrong shares"):
                self.alarms.ring("wrong shares", f"{record.object}: {record.detail} lied")
            case Evaluated():
                self._say(
                    "scored",
                    round=record.round,
                    score=record.score,
                    num_nodes=record.num_nodes,
                    **self._moved(record.round),
                )
            case RolledBack():
                self._say("rolled back", round=record.round, text=record.cause)
                self.alarms.ring(
                    "round rolled back", f"round {record.round} was rolled back: {record.cause}"
                )
            case FederationEnded():
                self._turn_page(None)
                self._say("ended", text=record.reason, round=record.result_round)
            case FederationPaused():
                self._say("paused")
            case FederationResumed():
                self._say("resumed")
            case _:
                pass

    def _terms(self) -> dict[str, float]:
        """What holds for the attempt under way besides the plan: see rounds/picking.py."""
        attempt = self.federation.attempt
        terms = attempt.terms if attempt is not None else Terms()
        told = {"enough": terms.enough, "learned_s": terms.within_s}
        return {name: value for name, value in told.items() if value is not None}

    def _update(self, record: UpdateReceived) -> None:
        self.savings.received(record.num_bytes)
        attempt = self.federation.attempt
        self._say(
            "update",
            round=record.round,
            attempt=record.attempt,
            node=short_id(record.node),
            label=self._label(record.node),
            updates=len(attempt.contributions) if attempt else 0,
            cohort=len(attempt.members) if attempt else 0,
        )

    def _finished(self, record: RoundFinished) -> None:
        self.metrics.rounds.labels("finished").inc()
        finished = self.federation.rounds[-1]
        survivors, lost = finished.survivors, lateness.dropped(self.federation.plan, finished)
        self.metrics.survivors.set(len(survivors))
        self.metrics.dropouts.inc(len(lost))
        self._say(
            "round finished",
            round=record.round,
            attempt=record.attempt,
            seconds=record.seconds,
            participants=len(survivors),
            dropped=len(lost),
            lost=[self.name_of(node) for node in lost[:MAX_AWAITED]],
            **self._moved(record.round),
        )

    def _turn_page(self, round_: int | None) -> None:
        """Another round begins, so the bytes of the last one are all there."""
        if round_ == self._round:
            return
        if self._round is not None:
            self.per_round[self._round] = self._since()
        self._round = round_
        self._before = self.traffic()

    def _moved(self, round_: int) -> dict[str, int]:
        """The bytes of the round up to now; what still comes is told when it is measured."""
        if round_ != self._round:
            return {}
        bytes_up, bytes_down = self._since()
        return {"bytes_up": bytes_up, "bytes_down": bytes_down}

    def _since(self) -> tuple[int, int]:
        now = self.traffic()
        return now[0] - self._before[0], now[1] - self._before[1]

    # ---- events ---------------------------------------------------------------------------------

    def _line_of(self, event: CoordinatorEvent) -> Line | None:
        match event:
            case Joined(node=node, role=role):
                return self._node_line("joined", node) | {"role": role}
            case Left(node=node):
                return self._node_line("left", node)
            case Said(node=node, message=Progress() as message):
                return self._node_line("progress", node) | {
                    "round": message.round,
                    "stage": message.stage,
                    "fraction": message.fraction,
                }
            case _:
                return None

    def _node_line(self, event: str, node: bytes) -> Line:
        return {
            "event": event,
            "ts": self.clock(),
            "node": short_id(node),
            "label": self._label(node),
        }

    def _watch_phase(self) -> None:
        attempt = self.federation.attempt
        phase = (attempt.phase if attempt is not None else self.federation.phase).name.lower()
        if phase == self._phase:
            return
        now = self.clock()
        if self._phase:
            self.metrics.phase_seconds.labels(self._phase).observe(now - self._phase_began)
        self._phase, self._phase_began = phase, now
        present, needed = len(self.federation.available), self.federation.needed
        self._say("phase", phase=phase, present=present, needed=needed)

    def _rang(self, alarm: Alarm) -> None:
        self._say("alarm", number=alarm.number, kind=alarm.kind, text=alarm.text)

    def _label(self, node: bytes) -> str:
        member = self.roster.get(node)
        return member.label if member is not None else ""

    def _say(self, event: str, **fields: object) -> None:
        if event == "update":
            log.debug(event, **fields)  # one for every node and round: too many for most logs
        else:
            log.info(event, **fields)
        self.followers.tell({"event": event, "ts": self.clock(), **fields})
