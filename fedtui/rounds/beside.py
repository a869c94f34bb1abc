"""What travels beside the values of an update: in the clear, or in a masked vector by name.

Under [dp] nothing does that depends on examples, as nothing would hide it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui.rounds import strategic
from fedtui.wire.messages import UpdateHeader

if TYPE_CHECKING:
    from fedtui.rounds.plan import Plan

WEIGHT = "weight"
TRAINING_SCALARS = (WEIGHT, "loss_sum", "examples")


def update_scalars(plan: Plan) -> tuple[str, ...]:
    """The scalars of an update, in their order."""
    return (*TRAINING_SCALARS, *strategic.scalars(plan))


def header(plan: Plan, num_examples: int, sums: dict[str, float]) -> UpdateHeader:
    """What goes with an update that was made of so many examples."""
    if plan.dp is not None:
        return UpdateHeader(num_examples=1, sums={})
    return UpdateHeader(num_examples=num_examples, sums=sums)
