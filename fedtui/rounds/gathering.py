"""Gathering: for how many participants the next attempt waits, and until when.

The first attempt of a federation waits for `start_with` participants, however long it takes. After
a restart or a failed attempt those who took part before get `rejoin_s` to come back, and failures
in a row make the pauses longer; then, and always after a round that went well, the selection's
minimum is enough.
"""

import math
from dataclasses import dataclass

from fedtui.rounds.plan import Plan

BACKOFF_FIRST_S = 0.5
BACKOFF_MOST_S = 30.0
SAY_GAP_S = 0.001
"""Seconds per present node between two broadcasts: a thousand nodes joining at once are told
now and then how many are here, not a thousand times each."""


@dataclass(slots=True)
class Gathering:
    """`wanted` participants at once, or `minimum` from `until` on; nothing before `not_before`."""

    minimum: int
    wanted: int
    until: float
    not_before: float
    said: tuple[int, int, bool] | None = None
    say_from: float = -math.inf

    def enough(self, num: int, now: float) -> bool:
        return num >= self.wanted or (now >= self.until and num >= self.minimum)

    def hurry(self, now: float) -> None:
        """The minimum is enough from now on, and nothing is waited for."""
        self.until = self.not_before = min(now, self.not_before)

    def due(self, num: int) -> float | None:
        """When to look again with `num` participants; None: not before one more comes."""
        if num < self.minimum:
            return None
        due = max(self.not_before, -math.inf if num >= self.wanted else self.until)
        return None if due == math.inf else due


def first(plan: Plan, now: float) -> Gathering:
    """Before the first attempt ever."""
    minimum = plan.minimum
    wanted = max(minimum, plan.rounds.start_with or minimum)
    return Gathering(minimum, wanted, until=math.inf, not_before=now)


def next_round(plan: Plan, now: float) -> Gathering:
    """After a round that went well."""
    minimum = plan.minimum
    return Gathering(minimum, minimum, until=now, not_before=now)


def again(plan: Plan, num_before: int, num_failures: int, now: float) -> Gathering:
    """After a restart, or `num_failures` failed attempts in a row; `num_before` took part."""
    minimum = plan.minimum
    until = now + plan.deadlines.rejoin_s
    return Gathering(
        minimum, max(minimum, num_before), until=until, not_before=now + backoff(num_failures)
    )


def backoff(num_failures: int) -> float:
    """Seconds of pause after that many failures in a row."""
    if num_failures == 0:
        return 0.0
    return min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2.0 ** min(num_failures - 1, 16))
