"""What a plan's [dp] adds to updates, where, and how much: alike on nodes and coordinator.

    distributed  every node of a masked sum adds noise * update_clip / sqrt(h), where h honest
                 nodes at least are in every sum of its cohort: they carry all that is promised
    local        every node adds noise * update_clip itself, masked or not
    central      nodes clip; the coordinator adds noise * update_clip to the sum, in its mean

Everywhere a node clips all that it sends, as it sends it: after its strategy and the transforms.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fedtui import plugins
from fedtui.privacy.discrete_gaussian import TAIL_SIGMAS
from fedtui.privacy.noise import Central, Noise
from fedtui.privacy.summed import LEAST_SIGMA
from fedtui.rounds import strategic
from fedtui.secagg import graph

if TYPE_CHECKING:
    from fedtui.rounds.plan import Plan
    from fedtui.secagg.encoding import Encoding

_MOST_ROUNDING = 0.1
"""Of the clip, what rounding may take away."""
_TAIL = TAIL_SIGMAS + 0.2  # a bin, and the last steps, beyond the tail


def at_node(plan: Plan, honest: int = 1) -> Noise | None:
    """What a node does to its update; None without [dp].

    `honest` nodes at least are in every sum of its cohort (`honest_of`).
    """
    clip = plan.training.update_clip
    if plan.dp is None or clip is None:
        return None
    match plan.dp.mechanism:
        case "central":
            return Noise(clip=clip, sigma=0.0)
        case "local":
            return Noise(clip=clip, sigma=plan.dp.noise * clip)
        case "distributed":
            return Noise(clip=clip, sigma=plan.dp.noise * clip / math.sqrt(max(1, honest)))


def at_coordinator(plan: Plan, weight: float, num_values: int, seed: bytes) -> Central | None:
    """What is added to the mean of updates whose weights have this sum; None if nothing is.

    The mean has `num_values` values; `seed` is 32 fresh random bytes.
    """
    clip = plan.training.update_clip
    if plan.dp is None or clip is None or plan.dp.mechanism != "central":
        return None
    return Central(plan.dp.noise, clip * plan.weight_cap / weight, num_values, seed)


def honest_of(minimum: int, colluders: int) -> int:
    """How many nodes of a sum hide each other if it has `minimum` nodes at least."""
    return max(1, minimum - colluders)


def in_sum(plan: Plan, num_survivors: int) -> float:
    """At most how much noise a masked sum of updates can have: sigma, in full weights."""
    hidden = at_node(plan, least_honest(plan))
    return hidden.sigma * math.sqrt(num_survivors) if hidden is not None else 0.0


def room(plan: Plan) -> float:
    """How far beyond a value the noise of one node can go, in any cohort of the plan."""
    hidden = at_node(plan, least_honest(plan))
    return _TAIL * hidden.sigma if hidden is not None else 0.0


def least_honest(plan: Plan) -> int:
    """Honest nodes of the smallest sum, with as many colluders as the largest cohort has."""
    privacy = plan.privacy
    if privacy.group is not None:
        colluders, minimum = graph.of_group(privacy.group, privacy.colluders, privacy.minimum)
        return max(2, honest_of(minimum, colluders))
    colluders = privacy.colluders or graph.default_colluders(privacy.largest_cohort)
    return max(2, honest_of(plan.minimum, colluders))


def conflicts(plan: Plan) -> list[str]:
    """Every way in which the mechanism and the rest of the plan do not fit, as sentences."""
    if plan.dp is None:
        return []
    found = []
    mechanism, bound = plan.dp.mechanism, plan.training.update_clip
    if bound is None:
        found.append(
            "[dp] needs a bound of what one node can change: write [training] update_clip = LENGTH"
        )
    if plan.evaluation.held_out:
        found.append(
            "[evaluation] holdout: under [dp] sums over what nodes hold out would leave without "
            "noise: write with_evaluator = true, or holdout = 0"
        )
    if mechanism == "distributed" and not plan.masked:
        found.append(
            '[dp] mechanism = "distributed": a share of the noise hides nobody where updates are '
            'visible: write [privacy] updates = "masked", or mechanism = "local" or "central"'
        )
    if mechanism == "central" and plan.privacy.group is not None:
        found.append(
            "[privacy] group: the coordinator reads the sums of groups before it adds noise, and "
            'a rule goes by them: write [dp] mechanism = "distributed" or "local"'
        )
    elif mechanism == "central" and (
        plan.aggregator.name != "mean" or plan.aggregator.mix is not None
    ):
        found.append(
            f"[aggregator] name: how far one node can move what {plan.aggregator.name} makes of "
            'all is not known, so no noise is enough: write name = "mean" without mix, or '
            '[dp] mechanism = "local"'
        )
    if plan.weights.by == "examples":
        found.append(
            "[weights] by: under [dp] a number of examples would leave without noise: write "
            'by = "equal"'
        )
    try:
        told = strategic.scalars(plan)
    except plugins.PluginError:  # said elsewhere
        told = ()
    if told:
        found.append(
            f"[strategy] name: {plan.strategy.name} wants to know {' and '.join(told)} of every "
            "node, which would leave without noise: choose another strategy"
        )
    found += _transforms(plan)
    wide = plan.privacy.value_range
    if plan.masked and bound and wide is not None and (tail := room(plan)) and wide < 1.1 * tail:
        found.append(
            f"[privacy] value_range = {wide:g} leaves no room for the noise of a node, which "
            f"reaches {tail:.3g}: write {tail + bound:.3g} or more, or leave it out"
        )
    return found


def _transforms(plan: Plan) -> list[str]:
    known = plugins.names("transforms")
    made = [
        (one.name, plugins.builder("transforms", one.name))
        for one in plan.transforms
        if one.name in known
    ]
    if plan.traffic.update_bytes is not None and not plan.masked and not made:
        made = [("top_k", plugins.builder("transforms", "top_k"))]
    found = [
        f"[[transforms]] {name}: which values a node sends tells something of its examples, "
        "without noise: leave it out"
        for name, kind in made
        if not kind.summable
    ]
    central = plan.dp is not None and plan.dp.mechanism == "central" and not plan.masked
    return found + [
        f"[[transforms]] {name}: what comes back of it is longer than the clip, and the "
        "coordinator's noise is not: leave it out"
        for name, kind in made
        if central and kind.summable and not kind.lossless
    ]


def misfit(plan: Plan, layout: Encoding) -> str:
    """Why updates in this encoding cannot be hidden; empty if they can.

    The plan must be masked, and without conflicts.
    """
    hidden = at_node(plan, plan.privacy.largest_cohort)
    if hidden is None or not layout.num_values:
        return ""
    lost = math.sqrt(layout.num_values) / (hidden.clip * layout.scale)
    sigma = hidden.sigma * layout.scale
    if lost <= _MOST_ROUNDING and (not sigma or sigma >= LEAST_SIGMA):
        return ""
    return (
        f"[privacy] lanes = {layout.lanes}: the steps of {layout.num_values:,} values are too "
        f"large: rounding could take {min(lost, 1):.0%} of update_clip, and the noise of a node "
        f"is {sigma:.1f} steps: lower lanes or largest_cohort, or raise [privacy] minimum"
    )
