"""Late updates: with `[deadlines] late = "buffer"` a round takes whoever is ready first.

Every node that is present is invited, and the round closes with as many updates as `[selection]`
wants: it is the buffer of FedBuff (Nguyen et al. 2022, arXiv:2106.06639). Whoever is not ready
then trains on, and adds its update to a later round: it started from an older model, and is
`staleness` rounds late. The strategy says how much of it counts (`fresh` of strategies/base.py);
that shortens the vector and not its weight, as in the paper. An update that would be later than
`max_staleness` rounds is not used, and its node begins anew from the present model.

Who did its part is invited to the next round like everybody else, so a fast node trains more
often than a slow one, but no node counts twice in one round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui.rounds import strategic

if TYPE_CHECKING:
    from fedtui.rounds.history import FinishedRound
    from fedtui.rounds.machine import NodeId
    from fedtui.rounds.plan import Plan
    from fedtui.wire.messages import Offer

BEHIND = "behind"
"""What the coordinator notes beside a visible update: its staleness."""


def stalest(plan: Plan) -> int:
    """How many rounds ago an update may have been trained that counts in a round."""
    return plan.deadlines.max_staleness if plan.deadlines.late == "buffer" else 0


def share(plan: Plan, base: int, number: int) -> float:
    """How much of an update that was trained in round `base` counts in round `number`: (0, 1].

    Raises PluginError.
    """
    return 1.0 if base >= number else strategic.built(plan).fresh(number - base)


def said(base: int, number: int) -> str:
    """What is told of an update beside what it is: nothing of one in time."""
    return "" if base >= number else f", trained in round {base}"


def too_late(base: int, number: int) -> str:
    return (
        f"what was trained for round {base} is too late for round {number}: training begins anew"
    )


def dropped(plan: Plan, finished: FinishedRound) -> list[NodeId]:
    """Who was to be in a round and is not, in order; nobody where it trains on for a later one."""
    if plan.deadlines.late == "buffer":
        return []
    return sorted(set(finished.cohort) - set(finished.survivors))


def serves(base: Offer, offer: Offer, stalest: int) -> bool:
    """Whether what was begun for `base` may be handed in for `offer`, under the same plan."""
    late = offer.round - base.round
    same = late == 0 and offer.model.digest == base.model.digest
    return (same or 0 < late <= stalest) and offer.plan_hash == base.plan_hash


def conflicts(plan: Plan) -> list[str]:
    """What does not fit to late updates that count, as sentences."""
    if plan.deadlines.late != "buffer":
        return []
    refused = {
        "[selection]: all nodes are wanted, so nobody is ever late: set count, or lower "
        "fraction": plan.selection.count is None and plan.selection.fraction == 1,
        "[selection] name: everybody is invited, and the first that are ready count, so no rule "
        'picks: leave it at "uniform"': plan.selection.name != "uniform",
        "[gate] tolerance: a late update may come from a model that was rolled back: leave one of "
        "the two out": plan.gate.tolerance is not None,
        "[[transforms]], [traffic] update_bytes: what is left out, or turned, differs from round "
        "to round, and a late update belongs to an older one: leave them out": bool(
            plan.transforms or plan.traffic.update_bytes
        ),
        "[deadlines] partial: a node that has more time than a round finishes its work: leave it "
        "out": plan.deadlines.partial,
    }
    return [
        f'[deadlines] late = "buffer" and {sentence}'
        for sentence, is_so in refused.items()
        if is_so
    ]
