"""What holds nodes to the plan's bound of an update, as a sentence; see docs/robustness.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui.combining import bounding
from fedtui.rounds import compression, hiding, masking

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
    honest = ""
    if most > 2 * clip:
        honest = f"; noise makes honest ones up to {most / clip:,.0f} times as long as update_clip"
    found = _found_from(plan, num_values, nodes, most)
    if not plan.masked:
        return (
            f"nodes cut updates to {clip:g}; one that is longer than {most:.3g} is refused: "
            f"surely from {found / clip:,.0f} times update_clip on{honest}"
        )
    what, cost = "the mean of all", "the round, and tells of nobody"
    if plan.privacy.group is not None:
        what, cost = "the mean of each group", "its group, and counts against all of its members"
    reach = nodes * found / clip + nodes - 1
    return (
        f"nodes cut updates to {clip:g}; {what} is measured, and one longer than {most:.3g} costs "
        f"{cost}: among {nodes} nodes one that does not cut is found from {reach:,.0f} times "
        f"update_clip on at the latest{honest}"
    )


def _most(plan: Plan, num_values: int, nodes: int) -> float | None:
    """How long a visible update may be, or the mean of so many masked ones."""
    if not plan.masked:
        return bounding.longest(plan, num_values)
    layout = masking.encoding(plan, num_values, "update")
    return bounding.longest_mean(plan, layout, nodes, float(nodes))


def _found_from(plan: Plan, num_values: int, nodes: int, most: float) -> float:
    """The length from which on an update, or its part in a mean, is longer than `most`."""
    if not plan.masked:
        noise = hiding.at_node(plan)
        sigma = 0.0 if noise is None else noise.sigma
    else:
        sigma = hiding.in_sum(plan, nodes) / nodes
    num_sent = compression.chain(plan, num_values).num_sent(num_values)
    return bounding.found_from(most, sigma, num_sent)
