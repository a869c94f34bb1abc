"""What travels in a masked vector beside the values of an update, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui.rounds import strategic

if TYPE_CHECKING:
    from fedtui.rounds.plan import Plan

WEIGHT = "weight"
TRAINING_SCALARS = (WEIGHT, "loss_sum", "examples")


def update_scalars(plan: Plan) -> tuple[str, ...]:
    """The scalars of an update, in their order."""
    return (*TRAINING_SCALARS, *strategic.scalars(plan))
