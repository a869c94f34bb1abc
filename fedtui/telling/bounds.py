"""What holds nodes to the plan's bound of an update, as a sentence; see docs/robustness.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui.combining import bounding
from fedtui.rounds import masking

if TYPE_CHECKING:
    from fedtui.rounds.plan import Plan


def of_updates(plan: Plan, num_values: int) -> str:
    """For whoever writes the plan: what is found of updates that are too long, of a model's size.

    The plan must be without conflicts.
    """
    clip, nodes = plan.training.update_clip, plan.privacy.group or plan.minimum
    most = _most(plan, num_values, nodes)
    if clip is None:
        return (
            "the plan bounds no update, so one node can move the model as far as it likes: "
            "[training] update_clip does"
        )
    if most is None:
        return (
            f"nodes cut updates to {clip:g}; nobody checks it, as what they send carries what "
            "earlier updates left behind"
        )
    if not plan.masked:
        noise = ": its own noise is nearly all of that, so what is shorter than the noise passes"
        said = noise if most > 2 * clip else ""
        return (
            f"nodes cut updates to {clip:g}; one that is longer than {most:.3g} is refused{said}"
        )
    what, cost = "the mean of all", "the round, and tells of nobody"
    if plan.privacy.group is not None:
        what, cost = "the mean of each group", "its group, and counts against all of its members"
    reach = nodes * most / clip + nodes - 1
    noise = ""
    if plan.dp is not None and most > 2 * clip:
        noise = (
            f"; noise makes honest ones up to {most / clip:,.0f} times as long as update_clip, so "
            "what keeps nodes to it is their own programs alone"
        )
    return (
        f"nodes cut updates to {clip:g}; {what} is measured, and one longer than {most:.3g} costs "
        f"{cost}: among {nodes} nodes one that does not cut is found from {reach:,.0f} times "
        f"update_clip on at the latest{noise}"
    )


def _most(plan: Plan, num_values: int, nodes: int) -> float | None:
    """How long a visible update may be, or the mean of so many masked ones."""
    if not plan.masked:
        return bounding.longest(plan, num_values)
    layout = masking.encoding(plan, num_values, "update")
    return bounding.longest_mean(plan, layout, nodes, float(nodes))
