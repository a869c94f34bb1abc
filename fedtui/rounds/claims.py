"""Claims: what can be learned of updates, by whom, as numbers and as sentences for people.

Claim 1 of secure aggregation: of one round's updates, the coordinator and at most `colluders`
participants in league with it learn sums only, each over at least
min(minimum, threshold) - colluders honest nodes. See docs/threat-model.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from fedtui.rounds import masking
from fedtui.secagg import graph

if TYPE_CHECKING:
    from fedtui.rounds.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Of one masked round; `ready` nodes of those `invited` are in its roster.

    With groups `ready` are those of one group, the smallest that there may be unless it is known
    better; `colluders` are those of the whole roster all the same. `threshold` shares open a
    secret, and `minimum` nodes are the least of a sum.
    """

    invited: int
    ready: int
    colluders: int
    minimum: int
    threshold: int

    @property
    def num_honest(self) -> int:
        """The least honest nodes of any sum that can be learned."""
        return max(0, min(self.minimum, self.threshold) - self.colluders)


def of_round(plan: Plan, *, invited: int, ready: int) -> Claim:
    """What the plan claims of a masked round of this size."""
    numbers = masking.numbers(plan, invited)
    if numbers.group:
        return Claim(
            invited=invited,
            ready=numbers.group,
            colluders=numbers.colluders,
            minimum=numbers.minimum,
            threshold=graph.quorum(numbers.group, numbers.colluders),
        )
    return Claim(
        invited=invited,
        ready=ready,
        colluders=numbers.colluders,
        minimum=numbers.minimum,
        threshold=_threshold(ready, numbers.colluders, plan.privacy.dropouts),
    )


def least_honest(plan: Plan) -> int:
    """The least honest nodes of any sum under a masked plan, in cohorts up to FULL_UP_TO.

    Not always that of the smallest cohort: with its size the colluders grow by steps.
    """
    if plan.privacy.group is not None:
        return of_round(plan, invited=plan.minimum, ready=plan.minimum).num_honest
    sizes = range(plan.minimum, max(plan.minimum, _most(plan)) + 1)
    # In the full graph a smaller roster has a lower threshold: with as few as a sum may have.
    claims = (
        of_round(plan, invited=size, ready=masking.numbers(plan, size).minimum) for size in sizes
    )
    return min(claim.num_honest for claim in claims)


def of_plan(plan: Plan) -> str:
    """Who can learn what of updates under a masked plan, as a sentence."""
    fixed = plan.privacy.colluders
    if plan.privacy.group is not None:
        who = _nodes(masking.numbers(plan, plan.minimum).colluders)
        return (
            f"updates are masked in random groups of {plan.privacy.group} nodes or more: "
            f"{_learn(who, least_honest(plan))}"
        )
    who = "a fifth of the cohort (1 node at least)" if fixed is None else _nodes(fixed)
    larger = plan.privacy.largest_cohort > graph.FULL_UP_TO
    where = f" in cohorts of up to {_most(plan)}; each larger one tells its own" if larger else ""
    return f"updates are masked: {_learn(who, least_honest(plan))}{where}"


def sentence(claim: Claim) -> str:
    """Who can learn what of the updates of a round."""
    return f"{_learn(_nodes(claim.colluders), claim.num_honest)}; if more are, nothing is promised"


def _learn(who: str, num_honest: int) -> str:
    return (
        f"the coordinator and up to {who} in league with it can learn sums only, each over at "
        f"least {_nodes(num_honest, 'honest ')}"
    )


def _nodes(number: int, what: str = "") -> str:
    return f"1 {what}node" if number == 1 else f"{number} {what}nodes"


def _most(plan: Plan) -> int:
    return min(plan.privacy.largest_cohort, graph.FULL_UP_TO)


@cache
def _threshold(ready: int, colluders: int, dropouts: int) -> int:
    degree = graph.degree(ready, colluders, min(dropouts, ready - 1))
    return graph.threshold(ready, colluders, degree)
