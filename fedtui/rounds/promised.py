"""What a plan's [dp] promises a node: the noise multiplier of rounds, and what that must reach.

Guaranteed is the noise of the honest nodes that every sum has at least, with as many colluders as
the plan reckons with. Realised is that of the honest nodes that were in a sum, which may be more.
Epsilons are not worked out here but by whoever starts dp-accounting (privacy/accounting.py).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fedtui.privacy import summed
from fedtui.privacy.spending import Release
from fedtui.rounds import hiding, masking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fedtui.rounds.plan import Plan

    EpsilonOf = Callable[[Sequence[Release], float], float]
    NoiseFor = Callable[[float, float, int], float]


def guaranteed(plan: Plan) -> float:
    """The noise multiplier of any round that a node may reckon with; 0 without [dp]."""
    if plan.dp is None:
        return 0.0
    if plan.dp.mechanism == "distributed":
        return summed.as_continuous(plan.dp.noise, hiding.least_honest(plan))
    return plan.dp.noise


def realised(plan: Plan, *, invited: int, survivors: int) -> float:
    """That of a round with so many nodes in its sum; of groups what is guaranteed, 0 without [dp].

    No sum has fewer nodes than its minimum (secagg/participant.py).
    """
    whole = guaranteed(plan)
    if plan.dp is None or plan.dp.mechanism != "distributed" or plan.privacy.group is not None:
        return whole
    numbers = masking.numbers(plan, invited)
    least = hiding.honest_of(numbers.minimum, numbers.colluders)
    honest = hiding.honest_of(max(survivors, numbers.minimum), numbers.colluders)
    return whole * math.sqrt(honest / least)


def in_league(plan: Plan, invited: int, colluders: int) -> float:
    """The guaranteed one in a cohort of this size if so many nodes collude.

    With more than the plan reckons with masks may open: what a node added itself is left then.
    """
    if plan.dp is None or plan.dp.mechanism != "distributed":
        return guaranteed(plan)
    numbers = masking.numbers(plan, invited)
    least = hiding.honest_of(numbers.minimum, numbers.colluders)
    if colluders > numbers.colluders:
        return summed.as_continuous(plan.dp.noise / math.sqrt(least), 1)
    return guaranteed(plan) * math.sqrt((numbers.minimum - colluders) / least)


def all_rounds(plan: Plan) -> tuple[Release, ...]:
    """What a node releases that is in every round; nothing without [dp]."""
    return (Release(guaranteed(plan), plan.rounds.maximum),) if plan.dp is not None else ()


def cohort(plan: Plan, members: int = 0) -> int:
    """How many nodes a round is about if so many are there, or as many as the plan knows of."""
    wanted = plan.selection.count
    if wanted is None:
        wanted = max(plan.minimum, math.ceil(plan.selection.fraction * num_known(plan, members)))
    return min(wanted, plan.privacy.largest_cohort) if plan.masked else wanted


def num_known(plan: Plan, members: int = 0) -> int:
    """How many nodes the federation is known to have at least."""
    return max(members, plan.minimum, plan.selection.count or 0, plan.rounds.start_with or 0)


def who_adds(plan: Plan) -> str:
    """Who adds noise, as a clause; empty where nobody does."""
    if plan.dp is None:
        return ""
    return {
        "distributed": "nodes add noise together",
        "local": "every node adds noise of its own",
        "central": "the coordinator, which is trusted with it, adds noise",
    }[plan.dp.mechanism]


def sentence(plan: Plan) -> str:
    """What [dp] promises in a line, to be said after who can read updates; empty without it."""
    if plan.dp is None:
        return ""
    bound = (
        "bounds no epsilon"
        if plan.dp.epsilon is None
        else f"bounds epsilon by {plan.dp.epsilon:g} in all {plan.rounds.maximum} rounds"
    )
    return (
        f"; {who_adds(plan)}, {plan.dp.noise:g} times as much as a node can change: the plan "
        f"{bound}, at delta {plan.dp.delta or 0:g}"
    )


def conflicts(plan: Plan) -> list[str]:
    """What is wrong with the numbers of [dp] themselves, as sentences."""
    return delta_conflicts(plan, num_known(plan))


def delta_conflicts(plan: Plan, num_nodes: int) -> list[str]:
    """What is wrong with delta, in a federation of so many nodes."""
    if plan.dp is None:
        return []
    limit = 1 / num_nodes
    if plan.dp.delta is None:
        return [
            "[dp] delta: say how probable it may be that the promise does not hold: far below 1 "
            f"in {num_nodes} nodes, such as {limit / 100:.0e}"
        ]
    if plan.dp.delta > limit:
        return [
            f"[dp] delta = {plan.dp.delta:g} is above 1/{num_nodes}: with it a plan may show all "
            f"of one of {num_nodes} nodes and keep its promise; write {limit / 100:.0e} or less"
        ]
    return []


def cap_conflicts(plan: Plan, epsilon_of: EpsilonOf, noise_for: NoiseFor) -> list[str]:
    """Whether `rounds.maximum` rounds stay within the plan's epsilon, and what noise would do.

    Asks only where there is a bound. Whatever the two functions raise comes through.
    """
    if plan.dp is None or plan.dp.epsilon is None or conflicts(plan):
        return []
    delta, cap, rounds = plan.dp.delta or 0.0, plan.dp.epsilon, plan.rounds.maximum
    spent = epsilon_of(all_rounds(plan), delta)
    if spent <= cap:
        return []
    enough = noise_for(cap, delta, rounds) * plan.dp.noise / guaranteed(plan)
    return [
        f"[dp] noise = {plan.dp.noise:g} is too little: {rounds} rounds spend epsilon "
        f"{spent:.4g} of the {cap:g} that [dp] epsilon allows, at delta {delta:g}: write noise = "
        f"{_up(enough):g}, or fewer rounds in [rounds] maximum"
    ]


def _up(number: float) -> float:
    """Rounded up to four digits."""
    step = 10.0 ** (math.floor(math.log10(number)) - 3)
    return math.ceil(number / step) * step
