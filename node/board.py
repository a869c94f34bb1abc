"""The board: this node's NodeStatus, and every change to it as a numbered event.

The service posts; the control server and the foreground log listen. The last events are kept, so
that a screen which was away a moment catches up without a snapshot. Events that follow each other
quickly (progress, traffic) are told at most a few times a second.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from fedtui import status
from node.alarms import Alarms

if TYPE_CHECKING:
    from collections.abc import Callable

    from node.alarms import Kind

KEPT_EVENTS = 512
MIN_INTERVAL_S = 0.25


class Board:
    """Holds the status. `clock` gives UTC seconds; listeners are called with each new event."""

    def __init__(self, first: status.NodeStatus, *, clock: Callable[[], float]) -> None:
        self.status = first
        self._clock = clock
        self._kept: deque[status.Event] = deque(maxlen=KEPT_EVENTS)
        self._listeners: list[Callable[[status.Event], None]] = []
        self._num_watching = 0
        self._last_quick: dict[type, float] = {}
        self._alarms = Alarms()

    def listen(
        self, listener: Callable[[status.Event], None], *, watches: bool = True
    ) -> Callable[[], None]:
        """Call `listener` with every event from now on; returns what ends that.

        One that `watches` is a screen: for it is measured what a log does not need.
        """
        self._listeners.append(listener)
        self._num_watching += watches

        def unlisten() -> None:
            self._listeners.remove(listener)
            self._num_watching -= watches

        return unlisten

    @property
    def is_watched(self) -> bool:
        """Whether a screen listens."""
        return self._num_watching > 0

    def since(self, seq: int) -> tuple[status.Event, ...] | None:
        """The events after `seq`; None if they are no longer all here."""
        newer = tuple(event for event in self._kept if event.seq > seq)
        complete = seq <= self.status.seq and len(newer) == self.status.seq - seq
        return newer if complete else None

    def post(self, event: status.Event) -> None:
        """Number the event, apply it, tell everybody."""
        numbered = msgspec.structs.replace(event, seq=self.status.seq + 1)
        self.status = status.reduce(self.status, numbered)
        self._kept.append(numbered)
        for listener in tuple(self._listeners):
            listener(numbered)

    def post_quick(self, event: status.Event) -> bool:
        """Post an event that replaces the one before, unless that was a moment ago.

        False: it was not posted, so what it adds to the one before must come with the next.
        """
        now = self._clock()
        if 0 <= now - self._last_quick.get(type(event), float("-inf")) < MIN_INTERVAL_S:
            return False
        self._last_quick[type(event)] = now
        self.post(event)
        return True

    def state(self, state: status.State, sentence: str) -> None:
        """Say what the node does now; nothing if that was said already."""
        if (state, sentence) != (self.status.state, self.status.sentence):
            self.post(status.StateChanged(state=state, sentence=sentence))

    def log(self, level: status.Level, text: str, source: status.Source = "node") -> None:
        line = status.LogLine(at=self._clock(), level=level, text=text, source=source)
        self.post(status.Logged(line=line))

    def alarm(
        self, kind: Kind, text: str, *, remedy: str = "", detail: tuple[str, ...] = ()
    ) -> None:
        """Raise an alarm, unless one of its kind was raised a moment ago (node/alarms.py)."""
        alarm = self._alarms.raised(kind, text, at=self._clock(), remedy=remedy, detail=detail)
        if alarm is not None:
            self.post(status.AlarmRaised(alarm=alarm))

    def problem(self, text: str, *, remedy: str = "", code: int = 0) -> None:
        """Something is wrong: kept until `solved()`."""
        found = status.Problem(text=text, remedy=remedy, code=code, at=self._clock())
        self.post(status.ProblemSeen(problem=found))

    def solved(self) -> None:
        if self.status.problem is not None:
            self.post(status.ProblemSeen(problem=None))
