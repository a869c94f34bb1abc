"""Throttle: how long the trainer rests between two batches to stay within its share of the CPU.

CPU time is what the system says the whole process used, so threads count as they should. Every
second of it that is more than the share is owed, and paid by doing nothing. Time that passed
unused is credit for a moment only: a trainer that waited long does not take it all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CREDIT_S = 0.2
SLICE_S = 0.05  # how soon a cancelled job, or another share, is noticed
LEAST_S = 0.001


class DutyCycle:
    """The account of one process. Pure: told CPU time and time, in seconds of any two clocks."""

    def __init__(self, *, cpu_s: float, now_s: float) -> None:
        """Begin with nothing owed."""
        self._cpu_s = cpu_s
        self._now_s = now_s
        self._owed_s = 0.0

    def rest_s(self, *, cpu_s: float, now_s: float, cores: float) -> float:
        """Seconds to rest now, so that no more than `cores` (> 0) are busy on average."""
        used_s, passed_s = cpu_s - self._cpu_s, now_s - self._now_s
        self._cpu_s, self._now_s = cpu_s, now_s
        self._owed_s = max(-CREDIT_S, self._owed_s + used_s / cores - passed_s)
        return max(0.0, self._owed_s)


@dataclass(frozen=True, slots=True)
class Clocks:
    """CPU time of this process, a monotonic time, and a way to let it pass, all in seconds."""

    cpu: Callable[[], float]
    now: Callable[[], float]
    sleep: Callable[[float], None]


class Throttle:
    """Rests when asked to, until the account is even or `wanted` says no more."""

    def __init__(self, clocks: Clocks, *, wanted: Callable[[], bool]) -> None:
        self._clocks = clocks
        self._wanted = wanted
        self._cycle = DutyCycle(cpu_s=clocks.cpu(), now_s=clocks.now())

    def rest(self, cores: Callable[[], float | None]) -> None:
        """Return when work may go on. `cores` is asked again and again; None: as many as are."""
        while self._wanted():
            allowed = cores()
            rest_s = self._cycle.rest_s(
                cpu_s=self._clocks.cpu(), now_s=self._clocks.now(), cores=allowed or 2**16
            )
            if allowed is None or rest_s < LEAST_S:
                return
            self._clocks.sleep(min(rest_s, SLICE_S))
