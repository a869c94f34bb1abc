"""FedNova: averages steps, not distances (Wang et al. 2020, arXiv:2007.07481).

A node with more examples takes more local steps, and under FedAvg pulls the model to its own
optimum for that. Here node i divides its update by tau_i, the length of its steps, and all go
along the mean direction by the mean length (section 4, with p_i the weights):

    d_i = (w_i - w) / tau_i        w <- w + (sum p_i tau_i) * (sum p_i d_i)

tau_i is the number of local steps K; with momentum m it is the sum of how often each gradient
counts, (K - m * (1 - m**K) / (1 - m)) / (1 - m). With mu each step is pulled back as under fedprox
(section 4, "proximal"), and old gradients count less: (1 - (1 - a)**K) / a for a = learning rate
* mu, without momentum. The trap: that length is that of plain SGD; the adaptive steps of adam have
none, so plans with it are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fedtui.strategies.base import Finished, Strategy, stepped, within

if TYPE_CHECKING:
    from fedtui.learning.params import Vector
    from fedtui.strategies.base import Arithmetic, Cohort, Local, State, Wide


@dataclass(frozen=True, slots=True)
class FedNova(Strategy):
    """`server_learning_rate` in (0, 10]: how far to go along the mean direction.

    `mu` in [0, 100]: the strength of the pull back to the global model; 0: none.
    """

    scalars: ClassVar[tuple[str, ...]] = ("tau",)
    wants: ClassVar[frozenset[str]] = frozenset({"sgd", "whole updates"})

    server_learning_rate: float = 1.0
    mu: float = 0.0

    def __post_init__(self) -> None:
        within(0, self.server_learning_rate, 10, "server_learning_rate")
        if self.mu:
            within(0, self.mu, 100, "mu")

    def correct(
        self,
        grad: Arithmetic,
        param: Arithmetic,
        anchor: Arithmetic,
        extra: Arithmetic | None,  # noqa: ARG002 - the anchor is all it needs
    ) -> Arithmetic:
        return grad + self.mu * (param - anchor) if self.mu else grad

    def finish(self, local: Local) -> Finished:
        pull = local.training.learning_rate * self.mu
        tau = length(local.num_steps, local.training.momentum, pull)
        return Finished(update_D=local.update_D / np.float32(tau), scalars={"tau": tau})

    def apply(
        self, model_C: Vector, mean_C: Wide, state: State, cohort: Cohort
    ) -> tuple[Vector, State]:
        far = self.server_learning_rate * cohort.means["tau"]
        return stepped(model_C, far * mean_C), state


def length(num_steps: int, momentum: float, pull: float = 0.0) -> float:
    """How often the gradients of so many steps count together.

    `pull` is the part of the way from where training began that each step goes back.
    """
    if not pull:
        lost = momentum * (1 - momentum**num_steps) / (1 - momentum)
        return (num_steps - lost) / (1 - momentum)
    total = speed = counts = 0.0
    gradient = 1.0  # of one step; how often it counts so many steps later
    for _ in range(num_steps):
        speed = momentum * speed + gradient - pull * counts
        counts += speed
        total += abs(counts)
        gradient = 0.0
    return total


build = FedNova
