"""FedOpt: an adaptive optimiser at the coordinator (Reddi et al. 2021, arXiv:2003.00295).

With d the mean update, elementwise (Algorithm 2):

    m <- beta1 * m + (1 - beta1) * d
    adagrad   v <- v + d**2
    yogi      v <- v - (1 - beta2) * d**2 * sign(v - d**2)
    adam      v <- beta2 * v + (1 - beta2) * d**2
    w <- w + server_learning_rate * m / (sqrt(v) + tau)

v begins with tau**2, m with 0, and nothing corrects their bias, as in the paper. Nodes train as
under FedAvg; m and v stay with the coordinator. The trap: the step hardly depends on how long the
update is, so the server's rate is in units of the model's values: 0.01 is large for a small model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fedtui.strategies.base import State, Strategy, stepped, within

if TYPE_CHECKING:
    from fedtui.learning.params import Vector
    from fedtui.strategies.base import Cohort, Wide

_RULES = ("adam", "yogi", "adagrad")


@dataclass(frozen=True, slots=True)
class FedOpt(Strategy):
    """`optimizer` is adam, yogi or adagrad; `beta1` is 0.9 by default, of adagrad 0."""

    kept: ClassVar[tuple[str, ...]] = ("mean", "square")

    optimizer: str = "adam"
    server_learning_rate: float = 0.01
    beta1: float | None = None
    beta2: float = 0.99
    tau: float = 1e-3

    def __post_init__(self) -> None:
        if self.optimizer not in _RULES:
            raise ValueError(f"optimizer is {self.optimizer!r}, expected {', '.join(_RULES)}")
        within(0, self.server_learning_rate, 10, "server_learning_rate")
        within(0, self.tau, 1, "tau")
        within(0, self.beta2, 0.999999, "beta2")
        if self.beta1:
            within(0, self.beta1, 0.999999, "beta1")

    def initial(self, name: str) -> float:
        return self.tau**2 if name == "square" else 0.0

    def apply(
        self,
        model_C: Vector,
        mean_C: Wide,
        state: State,
        cohort: Cohort,  # noqa: ARG002 - one mean is all it looks at
    ) -> tuple[Vector, State]:
        beta1 = self.beta1 if self.beta1 is not None else 0.9 * (self.optimizer != "adagrad")
        first_C = beta1 * state.vectors["mean"] + (1 - beta1) * mean_C
        square_C = self._square(state.vectors["square"], np.square(mean_C))
        step_C = self.server_learning_rate * first_C / (np.sqrt(square_C) + self.tau)
        return stepped(model_C, step_C), State({"mean": first_C, "square": square_C})

    def _square(self, before_C: Wide, now_C: Wide) -> Wide:
        if self.optimizer == "adagrad":
            return before_C + now_C
        if self.optimizer == "yogi":
            return before_C - (1 - self.beta2) * now_C * np.sign(before_C - now_C)
        return self.beta2 * before_C + (1 - self.beta2) * now_C


build = FedOpt
