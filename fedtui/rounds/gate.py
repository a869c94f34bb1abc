"""The gate: whether a new global model is worth going on from, by what held-out data say of it.

With `[gate] tolerance` in the plan a committed round whose model scored worse than the last model
that passed, by more than the tolerance, is rolled back: it stays on record with the reason, and
the next round starts from the model that passed. So does a model that nobody could measure, which
includes one whose loss is no number. The first measured model passes: there is nothing to compare
it with.

The tolerance is in points of a metric of which more is better (0.05 of an accuracy), and a share
of the last figure where less is better (0.05: a loss may rise by a twentieth).

The trap: scores of few examples vary by chance. With n held-out examples an accuracy has a
standard error of at most 0.5 / sqrt(n), and a tolerance below two of them rolls honest rounds
back.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from fedtui.learning.metrics import higher_is_better

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.rounds.history import FinishedRound
    from fedtui.rounds.plan import Plan


def passed(rounds: Sequence[FinishedRound]) -> FinishedRound:
    """The newest round that was not rolled back: its model is the global one."""
    return next(r for r in reversed(rounds) if not r.rolled_back)


def bases(rounds: Sequence[FinishedRound]) -> frozenset[int]:
    """The rounds from whose models the next one may start: one more if the newest is unjudged."""
    stood = (r.round for r in reversed(rounds) if not r.rolled_back)
    return frozenset(islice(stood, 2))


def why_not(plan: Plan, rounds: Sequence[FinishedRound]) -> str:
    """Why to roll the newest round back, as a sentence; "" if it passes, or was already."""
    tolerance, newest = plan.gate.tolerance, rounds[-1]
    if tolerance is None or newest.rolled_back:
        return ""
    if newest.score is None:
        return "nobody could measure its model"
    before = islice(reversed(rounds), 1, None)
    base = next((r for r in before if not r.rolled_back and r.score is not None), None)
    if base is None or base.score is None:
        return ""
    last, now, metric = base.score, newest.score, plan.task.metric
    if higher_is_better(metric):
        worse, allowed = now < last - tolerance, f"{tolerance:g}"
    else:
        worse, allowed = now > last + tolerance * abs(last), f"{tolerance:.0%}"
    if not worse:
        return ""
    return (
        f"{metric} went from {last:.4f} (round {base.round}) to {now:.4f}; the plan allows "
        f"it to get worse by {allowed}"
    )


def conflicts(plan: Plan) -> list[str]:
    """What does not fit to a gate, as sentences."""
    measured = plan.evaluation.with_evaluator or plan.evaluation.held_out
    if plan.gate.tolerance is None or measured:
        return []
    return [
        "[gate] tolerance needs a score, and nobody measures one: set [evaluation] holdout above "
        "0 or with_evaluator = true"
    ]
