"""This workstation and the trainer on it, as psutil sees them: no more than two files of /proc.

A process that ends while it is read counts as gone. The share of a core is measured between two
readings, so the first one of a process says 0.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import psutil

from fedtui.status import Machine

if TYPE_CHECKING:
    from collections.abc import Callable

DEVICE = "cpu"  # the trainer knows no other (fedtui/learning/trainer.py)
_STEP_PERCENT = 2.0
_NO_PERCENT = 0.5  # shown as 0 %
_STEP_MB = 4.0


class Workstation:
    """Reads the machine. `trainer` gives the trainer's process id, None while there is none."""

    def __init__(self, trainer: Callable[[], int | None]) -> None:
        self._trainer = trainer
        self._me = psutil.Process()
        self._me.cpu_percent()
        self._its: psutil.Process | None = None
        self.num_restarts = 0

    def read(self) -> Machine:
        """How things are now; `cpu_percent` is of trainer and daemon since the last reading."""
        mine = self._me.cpu_percent()
        seen = Machine(
            cpu_percent=round(mine, 1),
            trainer_restarts=self.num_restarts,
            device=DEVICE,
            power=power(),
            num_cores=os.cpu_count() or 0,
        )
        pid = self._trainer()
        if pid is None:
            self._its = None
            return seen
        try:
            if self._its is None or self._its.pid != pid:
                self._its = psutil.Process(pid)
            with self._its.oneshot():
                return Machine(
                    cpu_percent=round(mine + self._its.cpu_percent(), 1),
                    trainer_pid=pid,
                    trainer_nice=self._its.nice(),
                    trainer_threads=self._its.num_threads(),
                    trainer_memory_mb=round(self._its.memory_info().rss / 1e6, 1),
                    trainer_restarts=seen.trainer_restarts,
                    device=seen.device,
                    power=seen.power,
                    num_cores=seen.num_cores,
                )
        except psutil.Error:
            self._its = None
            return seen


def power() -> Literal["", "AC", "battery"]:
    """What the machine runs on; "" where it has no battery or does not say."""
    try:
        found = psutil.sensors_battery()
    except (AttributeError, OSError, ValueError):  # not on every platform
        return ""
    if found is None or found.power_plugged is None:
        return ""
    return "AC" if found.power_plugged else "battery"


def differs(before: Machine, now: Machine) -> bool:
    """Whether a screen would show something else: small changes of load and memory do not."""
    return (
        abs(now.cpu_percent - before.cpu_percent) >= _STEP_PERCENT
        or now.cpu_percent < _NO_PERCENT <= before.cpu_percent
        or abs(now.trainer_memory_mb - before.trainer_memory_mb) >= _STEP_MB
        or _fixed(now) != _fixed(before)
    )


def _fixed(machine: Machine) -> tuple[object, ...]:
    return (
        machine.trainer_pid,
        machine.trainer_nice,
        machine.trainer_threads,
        machine.trainer_restarts,
        machine.device,
        machine.power,
        machine.num_cores,
    )
