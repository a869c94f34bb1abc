"""The numbers of masked rounds, as the plan and the size of a cohort decide them.

Coordinator and nodes compute them alike, so the coordinator cannot choose others for a round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.rounds import compression, strategic
from fedtui.rounds.beside import WEIGHT
from fedtui.rounds.splitting import scalars_for
from fedtui.secagg import graph
from fedtui.secagg.encoding import MIN_VALUE_BITS, Encoding, EncodingError
from fedtui.strategies.base import Cohort

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedtui.rounds.plan import Plan
    from fedtui.secagg.context import Purpose
    from fedtui.secagg.encoding import Slots
    from fedtui.strategies.base import Wide


LEAST_GROUPS = 3
"""With fewer groups no rule can tell which of them is spoilt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Of one cohort: who may collude, and how many nodes a sum has at least.

    With `group` it is split into groups of that many nodes or a few more, and a sum is one
    group's; colluders are those of the whole cohort all the same (secagg/groups.py).
    """

    invited: int
    colluders: int
    minimum: int
    group: int = 0

    @property
    def quorum(self) -> int:
        """The least nodes that must stay to the end if everybody who was invited is ready."""
        if not self.group:
            return max(self.minimum, graph.quorum(self.invited, self.colluders))
        return enough_groups(self.invited // self.group) * self.least_of_group

    @property
    def roster(self) -> int:
        """The least nodes of a roster."""
        return max(self.minimum, LEAST_GROUPS * self.group)

    @property
    def least_of_group(self) -> int:
        """The least nodes of a group that must stay to the end, if it has no more than `group`."""
        return max(self.minimum, graph.quorum(self.group, self.colluders))


def enough_groups(num_groups: int) -> int:
    """How many of the groups of an attempt must stay to the end: more than half; 1 of one."""
    return num_groups // 2 + 1


def numbers(plan: Plan, invited: int, purpose: Purpose = "update") -> Numbers:
    """The numbers of a cohort of `invited` nodes; never changed when some are lost.

    Sums over held-out examples go over the whole cohort, also where updates add up in groups.
    """
    privacy, groups = plan.privacy, _of_groups(plan, invited)
    if groups is not None and purpose == "update":
        return groups
    default = graph.default_colluders(invited)
    if groups is not None:  # the plan's numbers are those of a group: no less for all together
        colluders = max(default, groups.colluders)
        least = max(groups.minimum, graph.default_minimum(invited, colluders))
    else:
        colluders = privacy.colluders or default
        least = privacy.minimum or graph.default_minimum(invited, colluders)
        least = max(least, plan.selection.minimum)
    return Numbers(invited=invited, colluders=colluders, minimum=max(least, colluders + 2))


def _of_groups(plan: Plan, invited: int) -> Numbers | None:
    group = plan.privacy.group
    if group is None:
        return None
    colluders, minimum = graph.of_group(group, plan.privacy.colluders, plan.privacy.minimum)
    return Numbers(invited=invited, colluders=colluders, minimum=minimum, group=group)


def encoding(plan: Plan, num_values: int, purpose: Purpose) -> Encoding:
    """How a vector is written: an update of `num_values` values, or the sums of an evaluation."""
    if purpose == "update":
        return compression.encoding(plan, num_values)
    return Encoding(
        num_values=0,
        scalars=scalars_for(plan.task.metric),
        lanes=plan.privacy.lanes,
        largest_cohort=plan.privacy.largest_cohort,
        value_range=plan.privacy.value_range or compression.DEFAULT_RANGE,
    )


def least_ready(plan: Plan, invited: int, wanted: int) -> int:
    """How many of a cohort of `invited` must be ready if the round goes on with about `wanted`.

    Their sum must still hide its nodes when as many are lost as the plan reckons with.
    """
    needed = numbers(plan, invited)
    if needed.group:  # a node that is lost costs its group, and no other
        return needed.roster
    quorum = graph.quorum(wanted, needed.colluders)
    return max(needed.minimum, quorum) + plan.privacy.dropouts


def opening_s(plan: Plan) -> float:
    """How long a round may take after the work is done, until its sum is open."""
    deadlines = plan.deadlines
    return deadlines.share_s + deadlines.mask_s + deadlines.reveal_s


def weight_of(plan: Plan, num_examples: int, declared: Mapping[str, str]) -> int:
    """What an update of so many examples counts, of a node that declares this of itself.

    1 or more; under masks `weight_cap` at most.
    """
    match plan.weights.by:
        case "equal":
            return 1
        case "plan":
            return plan.weights.of.get(declared.get(plan.weights.attribute, ""), 1)
        case "examples":
            pass
    cap = plan.weight_cap if plan.masked else plan.weights.cap
    return max(1, num_examples if cap is None else min(num_examples, cap))


def share_of_full(plan: Plan, scalars: dict[str, float], num_survivors: int) -> float:
    """What the summed updates must be divided by: their weights, in full weights.

    Each weighs 1 at least. Were less let through, one node could take the others' weights away:
    what is left would be divided by next to nothing.

    Raises:
        EncodingError: no honest cohort has such a weight.
    """
    weight = scalars[WEIGHT]
    if not num_survivors <= weight <= num_survivors * plan.weight_cap:
        raise EncodingError(
            f"{num_survivors} updates cannot weigh {weight / plan.weight_cap:g} together: one of "
            "them was spoilt"
        )
    return weight / plan.weight_cap


def cohort_of(plan: Plan, scalars: dict[str, float], num_survivors: int) -> Cohort:
    """What the sums of the scalars say of the survivors, for the plan's strategy.

    Raises:
        EncodingError: no honest cohort has such sums.
    """
    means = {name: scalars[name] / scalars[WEIGHT] for name in strategic.scalars(plan)}
    if spoilt := [name for name, mean in means.items() if mean <= 0]:
        raise EncodingError(f"the mean {spoilt[0]} is not positive: an update was spoilt")
    return Cohort(num_survivors, means)


def mean_of(layout: Encoding, slots_C: Slots, share: float) -> Wide:
    """Summed slots as the mean update (float64), with `share` from `share_of_full`."""
    mean_C: Wide = slots_C / (layout.scale * share)
    return mean_C


def conflicts(plan: Plan) -> list[str]:
    """Every way in which the numbers of a masked plan do not fit together."""
    privacy, found = plan.privacy, list[str]()
    if not plan.masked:
        if privacy.group is not None:
            found.append(
                f"[privacy] group = {privacy.group} is for masked updates, and these are visible: "
                "leave it out"
            )
        return found
    bits = 64 // privacy.lanes - (privacy.largest_cohort - 1).bit_length()
    if bits < MIN_VALUE_BITS:
        found.append(
            f"[privacy] lanes = {privacy.lanes} and largest_cohort = {privacy.largest_cohort} "
            f"leave {bits} bits a value, {MIN_VALUE_BITS} are needed: lower one of them"
        )
    here = max(plan.minimum, plan.rounds.start_with or 0)
    size = plan.selection.count or max(plan.minimum, math.ceil(plan.selection.fraction * here))
    if size > privacy.largest_cohort:
        found.append(
            f"[privacy] largest_cohort = {privacy.largest_cohort} is less than the {size} nodes "
            "that take part: raise it"
        )
    if privacy.group is not None:
        return found + _group_conflicts(plan, size, privacy.group)
    of_size = numbers(plan, size)
    if privacy.minimum is not None and privacy.minimum < of_size.colluders + 2:
        found.append(
            f"[privacy] minimum = {privacy.minimum} hides nobody from {of_size.colluders} "
            f"colluders: a sum needs {of_size.colluders + 2} nodes or more"
        )
    if size < of_size.quorum + privacy.dropouts:
        found.append(
            f"[privacy] {size} nodes with {of_size.colluders} colluders and {privacy.dropouts} "
            f"drop-outs cannot work: {of_size.quorum} nodes must stay to the end, so "
            f"{of_size.quorum + privacy.dropouts} are needed: raise [rounds] start_with or "
            "[selection] count, or lower colluders or dropouts"
        )
    return found


def _group_conflicts(plan: Plan, size: int, group: int) -> list[str]:
    """Every way in which the numbers of groups do not fit together."""
    found, privacy, of_size = [], plan.privacy, numbers(plan, size)
    if of_size.least_of_group > group:
        found.append(
            f"[privacy] group = {group} is too small: with {of_size.colluders} colluders a sum "
            f"needs {of_size.least_of_group} nodes of a group: raise group, or lower colluders or "
            "minimum"
        )
    if size < LEAST_GROUPS * group:
        found.append(
            f"[privacy] group = {group}: the {size} nodes that take part make "
            f"{size // group} groups, {LEAST_GROUPS} are needed to tell a spoilt one: raise "
            f"[rounds] start_with or [selection] count to {LEAST_GROUPS * group}, or lower group"
        )
    if privacy.dropouts:
        found.append(
            f"[privacy] dropouts = {privacy.dropouts} is for one cohort; a group of {group} goes "
            f"on as long as {of_size.least_of_group} of it are left: leave dropouts out"
        )
    return found
