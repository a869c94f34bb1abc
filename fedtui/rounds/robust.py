"""What a plan's aggregator is, and whether the plan shows it enough updates, in number and kind.

Every size that a cohort may have is tried, so a round can only run out of updates when nodes that
took part are lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui import plugins
from fedtui.aggregators.base import View, check_bad, num_bad
from fedtui.rounds import owned, strategic

if TYPE_CHECKING:
    from fedtui.aggregators.base import Aggregator
    from fedtui.rounds.plan import Plan

_SIZES = 128
"""So many sizes are tried from the smallest on, where the plan does not say how many take part."""
MOST_MIXED = 0.49


def built(plan: Plan) -> Aggregator:
    """The plan's aggregator. Raises PluginError as plugins.build."""
    chosen = plan.aggregator
    rule: Aggregator = plugins.build("aggregators", chosen.name, **chosen.options)
    return rule


def view(plan: Plan) -> View:
    """What the plan's way of combining must see. Raises PluginError."""
    seen = built(plan).view
    return View.GROUPS if plan.aggregator.mix is not None and seen is View.SUM else seen


def misfit(rule: Aggregator, name: str, mix: float | None, num_updates: int) -> str:
    """Why so many updates cannot be combined so, as a sentence without a place; empty if they can.

    `num_updates` is how many there are to combine: of nodes, or under masks of groups.
    """
    if needed := rule.misfit(num_updates):
        return f"{name} needs {needed}, and there are {num_updates}"
    if mix is not None and num_updates < 2 * num_bad(mix, num_updates) + 1:
        bad = num_bad(mix, num_updates)
        return (
            f"mix with {bad} bad updates needs at least {2 * bad + 1} updates, and there are "
            f"{num_updates}"
        )
    return ""


def conflicts(plan: Plan) -> list[str]:
    """Every way in which aggregator and plan do not fit, each a sentence that says what to do."""
    if owned.of_aggregator(plan) or owned.aggregator_is_elsewhere(plan):
        return _mix(plan)  # said there, or nothing to look at
    found = _named(plan) + _mix(plan)
    return found or [*_seen(plan), *_sizes(plan), *_weights(plan), *_scalars(plan)]


def _named(plan: Plan) -> list[str]:
    chosen = plan.aggregator
    known = plugins.names("aggregators")
    if chosen.name not in known:
        return [
            f"[aggregator] name: there is no aggregator {chosen.name!r}"
            f"{plugins.nearest(chosen.name, known)} (there are: {', '.join(known)})"
        ]
    takes = plugins.options("aggregators", chosen.name)
    found = [
        f"[aggregator.options] {key}: {chosen.name} has no such option"
        f"{plugins.nearest(key, takes)} (there are: {', '.join(takes) or 'none'})"
        for key in chosen.options
        if key not in takes
    ]
    if not found:
        try:
            built(plan)
        except plugins.PluginError as error:
            found.append(f"[aggregator.options] {error}")
    return found


def _mix(plan: Plan) -> list[str]:
    mix = plan.aggregator.mix
    if mix is None:
        return []
    try:
        check_bad(mix, MOST_MIXED)
    except ValueError as error:
        return [f"[aggregator] mix: {str(error).removeprefix('bad is ')}"]
    return []


def _seen(plan: Plan) -> list[str]:
    seen = view(plan)
    in_groups = plan.privacy.group is not None and seen is View.GROUPS
    if not plan.masked or seen is View.SUM or in_groups:
        return []
    name = plan.aggregator.name
    with_mix = " with mix" if plan.aggregator.mix is not None else ""
    if seen is View.EACH:
        return [
            f"[aggregator] {name}{with_mix} must see each single update, and masks show none: "
            'take another, or write [privacy] updates = "visible"'
        ]
    return [
        f"[aggregator] {name}{with_mix} must see more than the sum of all updates, and masks show "
        "nothing else: set [privacy] group, take mean, or write [privacy] updates = "
        '"visible"'
    ]


def _sizes(plan: Plan) -> list[str]:
    """The smallest size of a cohort that does not fit, if the plan allows one."""
    group = plan.privacy.group if plan.masked else 1
    if group is None:
        return []
    least, rule = plan.minimum, built(plan)
    most = max(least, plan.selection.count or least + _SIZES)
    for size in range(least, most + 1):
        why = misfit(rule, plan.aggregator.name, plan.aggregator.mix, size // group)
        if why and plan.masked:
            return [
                f"[aggregator] {why} groups in a round of {size} nodes with [privacy] group = "
                f"{group}: raise [selection] minimum or count, or reckon with fewer bad ones"
            ]
        if why:
            return [
                f"[aggregator] {why} in a round of {size} nodes, which [selection] minimum = "
                f"{plan.selection.minimum} allows: raise minimum, or reckon with fewer bad ones"
            ]
    return []


def _weights(plan: Plan) -> list[str]:
    if plan.masked or (built(plan).weighs and plan.aggregator.mix is None):
        return []
    said = [key for key, yes in (("cap", plan.weights.cap), ("of", plan.weights.of)) if yes]
    return [
        f"[weights] {key}: {plan.aggregator.name} gives every update one vote, whatever it "
        "weighs: leave it out"
        for key in said
    ]


def _scalars(plan: Plan) -> list[str]:
    """Numbers that a strategy reads of nodes are averaged, and one node can spoil an average."""
    if view(plan) is View.SUM:
        return []
    try:
        names = strategic.scalars(plan)
    except plugins.PluginError:  # said elsewhere
        return []
    return [
        f"[aggregator] strategy {plan.strategy.name} goes by the mean of what nodes say of their "
        f"{name}, which one of them can spoil whatever {plan.aggregator.name} does: take mean, or "
        "another strategy"
        for name in names[:1]
    ]
