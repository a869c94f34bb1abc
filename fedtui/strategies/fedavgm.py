"""FedAvgM: the mean update gathers momentum (Hsu, Qi, Brown 2019, arXiv:1909.06335).

    v <- momentum * v + mean update          w <- w + server_learning_rate * v

Nodes train as under FedAvg; v stays with the coordinator. The trap: with momentum m a steady
update is gone along 1 / (1 - m) times as far, so lower the server's rate when raising m.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fedtui.strategies.base import State, Strategy, stepped, within

if TYPE_CHECKING:
    from fedtui.learning.params import Vector
    from fedtui.strategies.base import Cohort, Wide


@dataclass(frozen=True, slots=True)
class FedAvgM(Strategy):
    """`momentum` in [0, 0.9999], `server_learning_rate` in (0, 10]."""

    kept: ClassVar[tuple[str, ...]] = ("velocity",)

    momentum: float = 0.9
    server_learning_rate: float = 1.0

    def __post_init__(self) -> None:
        if self.momentum != 0:
            within(0, self.momentum, 0.9999, "momentum")
        within(0, self.server_learning_rate, 10, "server_learning_rate")

    def apply(
        self,
        model_C: Vector,
        mean_C: Wide,
        state: State,
        cohort: Cohort,  # noqa: ARG002 - one mean is all it looks at
    ) -> tuple[Vector, State]:
        velocity_C = self.momentum * state.vectors["velocity"] + mean_C
        model_C = stepped(model_C, self.server_learning_rate * velocity_C)
        return model_C, State({"velocity": velocity_C})


build = FedAvgM
