"""The coordinator's clock: UTC seconds when it starts, and steady from then on.

A step of the system's clock, forwards or back by years, moves no deadline of a running round.
Whether an invite has expired is asked of the system's clock itself: see `wall_s`.
"""

import time


def wall_s() -> float:
    """UTC seconds as the system has them now."""
    return time.time_ns() / 1e9


class SteadyClock:
    """Call it for the time in seconds."""

    def __init__(self) -> None:
        self._offset_s = wall_s() - time.monotonic()

    def __call__(self) -> float:
        return self._offset_s + time.monotonic()
