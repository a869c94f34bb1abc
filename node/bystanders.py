"""How busy other programs keep this machine: all CPU time but that of node and trainer."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

AVERAGE_S = 60.0


class Bystanders:
    """`trainer` gives the trainer's process id, None while there is none."""

    def __init__(self, trainer: Callable[[], int | None]) -> None:
        self._trainer = trainer
        self._me = psutil.Process()
        self._before: tuple[float, float] | None = None
        self._ours: dict[int, float] = {}
        self._share: float | None = None

    def read(self, now: float) -> float | None:
        """Their share of all cores, 0 to 1, averaged over a minute; `now` in monotonic seconds.

        None at the first reading, or after a minute without one: it takes two. A reading every
        few seconds is enough.
        """
        busy_s = _busy_s()
        ours_s = self._spent_by_us()
        before, self._before = self._before, (now, busy_s)
        if before is None or now - before[0] > AVERAGE_S:  # nobody asked for long: begin anew
            self._share = None
            return None
        if now <= before[0]:
            return self._share
        passed_s = now - before[0]
        others_s = max(0.0, busy_s - before[1] - ours_s)
        share = min(1.0, others_s / passed_s / (os.cpu_count() or 1))
        if self._share is None:
            self._share = share
        else:
            keep = math.exp(-passed_s / AVERAGE_S)
            self._share = keep * self._share + (1 - keep) * share
        return self._share

    def _spent_by_us(self) -> float:
        """CPU seconds that daemon and trainer used since they were asked last."""
        pid = self._trainer()
        found: dict[int, float] = {}
        for process in (self._me, pid):
            try:
                one = psutil.Process(process) if isinstance(process, int) else process
                if one is not None:
                    times = one.cpu_times()
                    found[one.pid] = times.user + times.system
            except psutil.Error:
                continue
        spent = sum(used - self._ours.get(pid, 0.0) for pid, used in found.items())
        self._ours = found
        return spent


def _busy_s() -> float:
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)
