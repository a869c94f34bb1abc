"""FedAvg: average what the nodes learned (McMahan et al. 2017, arXiv:1602.05629).

Every node trains from the same model w with plain local steps and sends the difference; the next
model is w + server_learning_rate * (mean difference, weighted by examples). With a rate of 1 this
is exactly the weighted mean of the nodes' models. The trap: it drifts when the nodes' data differ
and the local epochs are many; FedProx, SCAFFOLD and FedDyn correct that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.strategies.base import Strategy, stepped, within

if TYPE_CHECKING:
    from fedtui.learning.params import Vector
    from fedtui.strategies.base import Cohort, State, Wide


@dataclass(frozen=True, slots=True)
class FedAvg(Strategy):
    """`server_learning_rate` in (0, 10]: how far to go along the mean update."""

    server_learning_rate: float = 1.0

    def __post_init__(self) -> None:
        within(0, self.server_learning_rate, 10, "server_learning_rate")

    def apply(
        self,
        model_C: Vector,
        mean_C: Wide,
        state: State,
        cohort: Cohort,  # noqa: ARG002 - one mean is all it looks at
    ) -> tuple[Vector, State]:
        return stepped(model_C, self.server_learning_rate * mean_C), state


build = FedAvg
