"""Noticing: which readings of the link are worth telling a screen, and which are noise. Pure.

A link on which nothing happens still carries a few bytes every ten seconds to stay open. A screen
that drew each of them would write to its terminal for ever, with nothing to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedtui.status import Traffic

KEPT_OPEN_PER_S = 250.0  # bytes; what keeps a link open makes half of it
STEP_BYTES = 10_000
STEP_SHARE = 0.01
STEP_S = 0.002
STEP_TRIP = 0.25

_TOTALS = ("up", "down", "up_today", "down_today")
_TRIPS = ("round_trip_s", "round_trip_p50_s", "round_trip_p99_s", "jitter_s")


def flow(bytes_per_s: float) -> float:
    """A rate as it is told: 0 for what only keeps the link open."""
    return round(bytes_per_s, 1) if bytes_per_s >= KEPT_OPEN_PER_S else 0.0


def differs(shown: Traffic, now: Traffic) -> bool:
    """Whether anything but the series of rates is other than shown."""
    names = [name for name in now.__struct_fields__ if not name.endswith("_rates")]
    return any(getattr(now, name) != getattr(shown, name) for name in names)


def is_notable(shown: Traffic, now: Traffic) -> bool:
    """Whether a screen should hear of it: more than a few bytes, more than jitter.

    Totals count from 10 kB or 1 %, times from 2 ms or a quarter, all else at once.
    """
    fixed = [
        name
        for name in now.__struct_fields__
        if name not in {*_TOTALS, *_TRIPS} and not name.endswith("_rates")
    ]
    return (
        any(getattr(now, name) != getattr(shown, name) for name in fixed)
        or any(_is_far(getattr(shown, name), getattr(now, name)) for name in _TOTALS)
        or any(_is_other(getattr(shown, name), getattr(now, name)) for name in _TRIPS)
    )


def _is_far(shown: int, now: int) -> bool:
    return now < shown or now - shown >= max(STEP_BYTES, STEP_SHARE * shown)


def _is_other(shown: float | None, now: float | None) -> bool:
    if shown is None or now is None:
        return shown is not now
    return abs(now - shown) >= max(STEP_S, STEP_TRIP * shown)
