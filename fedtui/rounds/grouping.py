"""How many groups of a masked attempt must stay to the end: over half, and as the rule needs.

An attempt that the aggregator cannot finish ends as soon as that is known: before the survivors
are chosen it costs an attempt, after that the round's number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui.rounds import masking, robust

if TYPE_CHECKING:
    from fedtui.rounds.plan import Plan


def enough(plan: Plan, num_groups: int) -> int:
    """How many of `num_groups` must be left; 1 of 1, where the plan has no groups.

    All of them, if the plan's rule fits no number that is possible.
    """
    least = masking.enough_groups(num_groups)
    if plan.privacy.group is None:
        return least
    rule, chosen = robust.built(plan), plan.aggregator
    fitting = (
        num
        for num in range(least, num_groups + 1)
        if not robust.misfit(rule, chosen.name, chosen.mix, num)
    )
    return next(fitting, num_groups)
