"""Resting: whether a node sits out now because of its operator's limits, and until when. Pure.

Idle means: programs other than this node keep less than half of the machine's cores busy,
averaged over the last minute. It rests from half on and goes on below a third, so that it does not
come and go. What somebody types is not seen, only what the machine does about it.

The day's volume is used up when the next update does not fit any more. That rest waits for the
round under way, which fits; the others begin at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fedtui.status import Limits

BUSY, FREE = 1 / 2, 1 / 3
MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known now.

    `now` has the operator's time zone; `num_bytes_today` is what the ledger announced since
    midnight UTC, `next_bytes` what a round would add (0: unknown, or nothing). `others` is the
    share of all cores that other programs keep busy, 0 to 1, None while unknown. `at_work` says
    that a round is under way here, `resting` that the node sits out already.
    """

    now: datetime
    limits: Limits
    num_bytes_today: int = 0
    next_bytes: int = 0
    power: Literal["", "AC", "battery"] = ""
    others: float | None = None
    at_work: bool = False
    resting: bool = False


def rests(facts: Facts) -> str:
    """Why the node sits out, as a sentence; "" if it takes part."""
    return _outside_hours(facts) or _in_use(facts) or _spent(facts)


def is_last_day(limits: Limits, now: datetime) -> bool:
    """Whether the day has come on which the node leaves by itself."""
    return bool(limits.leave_on) and now.date().isoformat() >= limits.leave_on


def _outside_hours(facts: Facts) -> str:
    start, _, end = facts.limits.hours.partition("-")
    if not start:
        return ""
    clock = facts.now.strftime("%H:%M")
    inside = start <= clock < end if start < end else clock >= start or clock < end
    if inside:
        return ""
    return f"you let it work from {start} to {end} only; again at {start}"


def _in_use(facts: Facts) -> str:
    run, others = facts.limits.run, facts.others
    if run == "AC" and facts.power == "battery":
        return "this machine is on battery; again when it is plugged in"
    if run != "idle":
        return ""
    if others is None:
        return "finding out whether this machine is idle"
    if others < (FREE if facts.resting else BUSY):
        return ""
    return f"other programs use this machine ({others:.0%} of its cores); again when it is idle"


def _spent(facts: Facts) -> str:
    limit_mb = facts.limits.max_upload_mb_per_day
    if not limit_mb or facts.at_work:
        return ""
    if facts.next_bytes > limit_mb * MB:
        return (
            f"an update has {facts.next_bytes / MB:.2f} MB, and you allow {limit_mb:g} MB a day: "
            "fedtui limit --upload-per-day MB"
        )
    left = limit_mb * MB - facts.num_bytes_today
    if left > 0 and facts.next_bytes <= left:
        return ""
    again = next_day(facts.now).astimezone(facts.now.tzinfo)
    return (
        f"the {limit_mb:g} MB that you allow a day are used up "
        f"({facts.num_bytes_today / MB:.1f} MB sent); again at {again:%H:%M} (midnight UTC)"
    )


def next_day(now: datetime) -> datetime:
    """The next midnight UTC."""
    day = now.astimezone(UTC).date() + timedelta(days=1)
    return datetime.combine(day, time(), UTC)
