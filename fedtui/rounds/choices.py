"""The plan's choices by name: whether they exist, take their options, and fit what the plan shows.

Names and options that do not exist are answered with the nearest that do. Nothing here imports a
task: their options are tried where tasks run, in the trainer process.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fedtui import plugins
from fedtui.learning.metrics import METRICS
from fedtui.rounds import masking, owned
from fedtui.wire import declared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedtui.rounds.plan import Plan
    from fedtui.selection.base import Selection


def conflicts(plan: Plan) -> list[str]:
    """Every name that does not exist and every option that does not fit, as sentences."""
    return [
        *_task(plan),
        *_rule_named(plan),
        *_selection(plan),
        *_weights(plan),
        *_deadlines(plan),
    ]


def asked(plan: Plan) -> tuple[str, ...]:
    """What nodes are asked to declare under this plan; empty for one that does not fit."""
    rule, weights = _rule(plan), plan.weights
    said = str(plan.selection.options.get("attribute", "")) if owned.is_elsewhere(plan) else ""
    names = [rule.attribute if rule is not None else said]
    names.append(weights.attribute if weights.by == "plan" else "")
    return tuple(sorted({name for name in names if declared.is_name(name)}))


def told(plan: Plan, declares: Mapping[str, str]) -> dict[str, str]:
    """What of all that an operator declares is told under this plan."""
    return {name: declares[name] for name in asked(plan) if name in declares}


def _task(plan: Plan) -> list[str]:
    found, names, metric = [], plugins.names("tasks"), plan.task.metric
    if not plan.task.sha256 and plan.task.name not in names:
        found.append(
            f"[task] name: there is no task {plan.task.name!r} here"
            f"{plugins.nearest(plan.task.name, names)} (there are: {', '.join(names)}); an own "
            "task needs its sha256, see 'fedtui task check'"
        )
    if metric not in METRICS:
        found.append(
            f"[task] metric: {metric!r} is not known{plugins.nearest(metric, METRICS)} "
            f"(known: {', '.join(METRICS)})"
        )
    return found


def _rule_named(plan: Plan) -> list[str]:
    if owned.is_elsewhere(plan) or owned.of_selection(plan):
        return []  # nothing to look at, or said there
    return _plugin("selection", plan.selection.name, plan.selection.options)


def _plugin(kind: str, name: str, options: Mapping[str, object]) -> list[str]:
    """What is wrong with the choice of one plug-in."""
    names = plugins.names(kind)
    if name not in names:
        return [
            f"[{kind}] name: there is no {kind} {name!r}{plugins.nearest(name, names)} "
            f"(there are: {', '.join(names)})"
        ]
    taken = plugins.options(kind, name)
    unknown = [key for key in sorted(options) if key not in taken]
    if unknown:
        takes = ", ".join(taken) or "none"
        return [
            f"[{kind}] options: {name} has no option {key!r}{plugins.nearest(key, taken)} "
            f"(it takes: {takes})"
            for key in unknown
        ]
    try:
        plugins.build(kind, name, **options)
    except plugins.PluginError as error:
        return [f"[{kind}] options: {error}"]
    return []


def _rule(plan: Plan) -> Selection | None:
    chosen = plan.selection
    try:
        return plugins.build("selection", chosen.name, **chosen.options)  # type: ignore[no-any-return]
    except plugins.PluginError:
        return None


def _selection(plan: Plan) -> list[str]:
    chosen, rule, found = plan.selection, _rule(plan), []
    if chosen.count is not None and chosen.count < chosen.minimum:
        found.append(
            f"[selection] count = {chosen.count} can never reach minimum = {chosen.minimum}: "
            "raise count or lower minimum"
        )
    if rule is None:
        return found
    if rule.attribute and not declared.is_name(rule.attribute):
        found.append(
            f"[selection] options: nodes can declare nothing that is called {rule.attribute!r}: "
            "use up to 32 small letters, digits and underscores"
        )
    if rule.reads_losses and plan.masked:
        found.append(
            f"[selection] {chosen.name} picks by the losses of single nodes, and masks show sums "
            'only: use another rule, or [privacy] updates = "visible"'
        )
    if rule.over > 1 and chosen.count is None and chosen.fraction == 1:
        found.append(
            f"[selection] {chosen.name} invites more nodes than are wanted, but fraction = 1 "
            "wants them all: set count, or lower fraction"
        )
    return [*found, *(_too_few_ready(plan, rule) if plan.masked else [])]


def _too_few_ready(plan: Plan, rule: Selection) -> list[str]:
    """Under masks a round that closes early must still have a sum that hides its nodes."""
    wanted = plan.selection.count
    if rule.over <= 1 or wanted is None:
        return []
    invited = min(math.ceil(wanted * rule.over - 1e-9), plan.privacy.largest_cohort)
    needed = masking.least_ready(plan, max(invited, wanted), wanted)
    if wanted >= needed:
        return []
    return [
        f"[selection] {invited} nodes are invited and the round closes with {wanted}, but a "
        f"masked sum of so many invited needs {needed} of them: raise count, or lower invite, "
        "colluders or dropouts"
    ]


def _weights(plan: Plan) -> list[str]:
    weights, found = plan.weights, []
    if weights.by != "examples" and weights.cap is not None:
        found.append(
            f'[weights] cap = {weights.cap} bounds examples, and by = "{weights.by}" counts none: '
            "leave one of them out"
        )
    if weights.by == "plan" and not (declared.is_name(weights.attribute) and weights.of):
        found.append(
            '[weights] by = "plan" needs the attribute that nodes declare, a name of small '
            "letters, and in of the weight of each of its values"
        )
    if weights.by != "plan" and (weights.attribute or weights.of):
        found.append(
            '[weights] attribute and of are for by = "plan", '
            f'and by is "{weights.by}": leave them out, or change by'
        )
    return found


def _deadlines(plan: Plan) -> list[str]:
    if plan.deadlines.accept_s > plan.deadlines.update_s:
        return [
            "[deadlines] accept_s is longer than update_s, the time for the whole update: "
            "lower accept_s or raise update_s"
        ]
    return []
