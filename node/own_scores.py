"""This node's own judgement of the global model, on examples that it never trains on. Pure.

`before` a round the global model is judged as it was received, `after` it as it was trained here.
A global model that is suddenly far worse than lately is an alarm: somebody may have spoilt it, or
the cohort's data is very unlike this node's. Where the operator says so, such a model is refused:
it is not trained on, and it does not count among what was lately, so that the next one must be
better.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from fedtui.learning import metrics
from fedtui.status import OwnScore

MOST_EXAMPLES = 1000
"""At most so many of the held-out examples judge: twice a round, and training waits for it."""

LATELY = 5
WORSE_BY = 0.2
WORSE_TIMES = 2.0
SIGMAS = 4.0


@dataclass(slots=True)
class OwnScores:
    """Of one plan, whose `metric` it is."""

    metric: str
    _lately: deque[float] = field(default_factory=lambda: deque(maxlen=LATELY))

    def judged(
        self,
        number: int,
        *,
        before: dict[str, float],
        after: dict[str, float],
        num_examples: int,
        refuses: bool = False,
    ) -> tuple[OwnScore | None, str]:
        """The figures of a round, and what is alarming about them ("" if nothing is).

        Sums of a model that could not be judged are empty. `refuses`: one that got far worse is
        not gone on from here.
        """
        one, other = self._score(before), self._score(after)
        if one is None and other is None:
            return None, ""
        found = OwnScore(
            round=number, metric=self.metric, before=one, after=other, num_examples=num_examples
        )
        return found, "" if one is None else self._alarm(one, num_examples, refuses)

    def _alarm(self, now: float, num_examples: int, refuses: bool) -> str:
        best = self._best()
        worse = best is not None and got_worse(self.metric, best, now, num_examples)
        if not (worse and refuses):
            self._lately.append(now)
        if best is None or not worse:
            return ""
        return f"global model got worse on YOUR hold-out: {best:.2f} -> {now:.2f} (here)"

    def _best(self) -> float | None:
        if not self._lately:
            return None
        return max(self._lately) if metrics.higher_is_better(self.metric) else min(self._lately)

    def _score(self, sums: dict[str, float]) -> float | None:
        try:
            found = metrics.score(self.metric, sums)
        except ValueError:
            return None
        return found if math.isfinite(found) else None


def got_worse(metric: str, best: float, now: float, num_examples: int) -> bool:
    """Whether `now` is far worse than `best`, and not by chance of few examples.

    A share (accuracy, r2) must fall by WORSE_BY and by four standard errors, an error (loss, rmse)
    must be WORSE_TIMES as large.
    """
    if metrics.higher_is_better(metric):
        chance = SIGMAS * math.sqrt(0.25 / max(1, num_examples))
        return best - now > max(WORSE_BY, chance)
    return now > WORSE_TIMES * max(best, 1e-9)
