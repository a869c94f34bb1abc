"""Bytes, rates and round trips of a node's link, over all its sessions.

Totals only grow, across reconnects. A rate is a mean over the last seconds. Round trips are those
of an Echo every 20 s through the encrypted session: what a control message waits, not a ping. Of
the last `MAX_ROUND_TRIPS` of them the meter tells median, 99th percentile (nearest rank: of fewer
than 100 it is the longest) and jitter, the mean difference of one to the next.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from fedtui.wire.tally import Direction, Tally

RATE_OVER_S = 5.0
MAX_ROUND_TRIPS = 180  # an hour of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """One reading; `num_welcomed` of the sessions got as far as a welcome.

    Bytes are those of the websocket's frames; rates are bytes per second.
    """

    sent_bytes: int
    received_bytes: int
    sent_payload: int
    received_payload: int
    sent_rate: float
    received_rate: float
    round_trip_s: float | None
    num_sessions: int
    num_welcomed: int = 0
    round_trip_p50_s: float | None = None
    round_trip_p99_s: float | None = None
    jitter_s: float | None = None


@dataclass(slots=True)
class _Total:
    """One direction: what former sessions carried, and the sum over all."""

    before_bytes: int = 0
    before_payload: int = 0
    num_bytes: int = 0
    num_payload: int = 0

    def see(self, current: Direction) -> None:
        self.num_bytes = self.before_bytes + current.num_bytes
        self.num_payload = self.before_payload + current.num_payload

    def keep(self) -> None:
        self.before_bytes = self.num_bytes
        self.before_payload = self.num_payload


@dataclass(slots=True)
class Meter:
    """Adds up the tallies of one session after the other."""

    _sent: _Total = field(default_factory=_Total)
    _received: _Total = field(default_factory=_Total)
    _tally: Tally = field(default_factory=Tally)
    num_welcomed: int = 0
    _num_sessions: int = 0
    _history: deque[tuple[float, int, int]] = field(default_factory=deque)
    _round_trips: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_ROUND_TRIPS))

    def follow(self, tally: Tally) -> None:
        """Go on with a new session's tally; what the former one counted stays in the totals."""
        self._see()
        self._sent.keep()
        self._received.keep()
        self._tally = tally
        self._num_sessions += 1

    def totals(self) -> tuple[int, int]:
        """Bytes of all frames so far: sent, received."""
        self._see()
        return self._sent.num_bytes, self._received.num_bytes

    def read(self, now: float, *, round_trip_s: float | None = None) -> Traffic:
        """Return totals and rates at `now`; call it about once a second for good rates."""
        self._see()
        trips = self._round_trips
        if round_trip_s is not None and (not trips or trips[-1] != round_trip_s):
            trips.append(round_trip_s)  # each echo gives another float
        history = self._history
        history.append((now, self._sent.num_bytes, self._received.num_bytes))
        while len(history) > 2 and history[1][0] <= now - RATE_OVER_S:
            history.popleft()
        then, sent, received = history[0]
        elapsed = now - then
        return Traffic(
            sent_bytes=self._sent.num_bytes,
            received_bytes=self._received.num_bytes,
            sent_payload=self._sent.num_payload,
            received_payload=self._received.num_payload,
            sent_rate=(self._sent.num_bytes - sent) / elapsed if elapsed > 0 else 0.0,
            received_rate=(self._received.num_bytes - received) / elapsed if elapsed > 0 else 0.0,
            round_trip_s=round_trip_s,
            num_sessions=self._num_sessions,
            num_welcomed=self.num_welcomed,
            round_trip_p50_s=_rank(trips, 0.5),
            round_trip_p99_s=_rank(trips, 0.99),
            jitter_s=_jitter(trips),
        )

    def _see(self) -> None:
        self._sent.see(self._tally.sent)
        self._received.see(self._tally.received)


def _rank(values: deque[float], share: float) -> float | None:
    """The smallest value that `share` of them do not exceed; None of none."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else None


def _jitter(values: deque[float]) -> float | None:
    """The mean difference of one value to the next; None of fewer than two."""
    steps = [abs(after - before) for before, after in pairwise(values)]
    return math.fsum(steps) / len(steps) if steps else None
