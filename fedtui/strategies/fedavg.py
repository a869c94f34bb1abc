"""FedAvg: average what the nodes learned (McMahan et al. 2017, arXiv:1602.05629).

Every node trains from the same model w with plain local steps and sends the difference; the next
model is w + server_learning_rate * (mean difference, weighted by examples). With a rate of 1 this
is exactly the weighted mean of the nodes' models. The trap: it drifts when the nodes' data differ
and the local epochs are many; FedProx and SCAFFOLD correct that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fedtui.strategies.base import LocalRule, State

if TYPE_CHECKING:
    from fedtui.learning.params import Vector
    from fedtui.strategies.base import Arithmetic, Wide


@dataclass(frozen=True, slots=True)
class FedAvg:
    """`server_learning_rate` in (0, 10]: how far to go along the mean update."""

    server_learning_rate: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.server_learning_rate <= 10:
            raise ValueError(
                f"server_learning_rate is {self.server_learning_rate}, expected 0 < rate <= 10"
            )

    def init(self, num_values: int) -> State:  # noqa: ARG002 - FedAvg remembers nothing
        return State()

    def local(self, state: State) -> LocalRule:  # noqa: ARG002 - nor does what it sends depend on it
        return LocalRule(name="fedavg")

    def correct(
        self,
        grad: Arithmetic,
        param: Arithmetic,  # noqa: ARG002 - plain local steps
        anchor: Arithmetic,  # noqa: ARG002
        extra: Arithmetic | None,  # noqa: ARG002
    ) -> Arithmetic:
        return grad

    def apply(self, model_C: Vector, mean_delta_C: Wide, state: State) -> tuple[Vector, State]:
        stepped_C = model_C + self.server_learning_rate * mean_delta_C
        return stepped_C.astype(np.float32), State(num_rounds=state.num_rounds + 1)


build = FedAvg
