"""When a federation is over, and which round's model is its result.

A score only counts if it is strictly better than all before; rounds that nobody measured count
neither for nor against patience.
"""

import math
from collections.abc import Sequence

from fedtui.learning.metrics import higher_is_better, reached
from fedtui.rounds.history import FinishedRound
from fedtui.rounds.plan import Plan


def best_of(rounds: Sequence[FinishedRound], metric: str) -> FinishedRound:
    """The round with the best score (the latest of equals); the last one if none has any.

    Rounds that were rolled back do not count.
    """
    sign = 1 if higher_is_better(metric) else -1
    rounds = [r for r in rounds if not r.rolled_back]
    scored = [(sign * r.score, r.round, r) for r in rounds if r.score is not None]
    return max(scored, key=lambda entry: entry[:2])[2] if scored else rounds[-1]


def why_end(plan: Plan, rounds: Sequence[FinishedRound]) -> str | None:
    """The sentence with which the federation ends after the last of these rounds, or None."""
    budget, last = plan.rounds, rounds[-1]
    metric = plan.task.metric
    if last.round == 0:
        return None
    if (
        budget.target is not None
        and last.score is not None
        and not last.rolled_back
        and reached(metric, last.score, budget.target)
    ):
        return f"target reached: {metric} {last.score:.4f}, wanted {budget.target}"
    if budget.patience is not None and _num_without_better(rounds, metric) >= budget.patience:
        return f"no better {metric} in {budget.patience} rounds"
    if len(rounds) > budget.maximum:  # a round that came to nothing under masks does not count
        return f"all {budget.maximum} rounds done"
    if budget.seconds is not None and math.fsum(r.seconds for r in rounds) >= budget.seconds:
        return f"time budget of {budget.seconds:g} s spent"
    return None


def _num_without_better(rounds: Sequence[FinishedRound], metric: str) -> int:
    """How many measured rounds have passed since the first one that reached the best score."""
    scores = [r.score for r in rounds if r.score is not None]
    if not scores:
        return 0
    best = max(scores) if higher_is_better(metric) else min(scores)
    return len(scores) - 1 - scores.index(best)
