"""FedDyn: every node's objective is bent until all agree (Acar et al. 2021, arXiv:2111.04263).

Node k keeps a gradient g_k, which begins with 0 (Algorithm 1, with w_k its model afterwards):

    node          minimises  F_k(w) - <g_k, w> + alpha/2 * |w - w_global|**2
                  g_k <- g_k - alpha * (w_k - w_global)
    coordinator   h <- h - alpha * (nodes of this round / population) * mean update
                  w <- mean of w_k - h / alpha

g_k never leaves its node and h never leaves the coordinator: no more travels than under FedAvg.
The traps: `population` must count all nodes that ever take part (0: those of every round), a small
alpha makes h / alpha wild, and a model's buffers (batch normalisation) are overshot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fedtui.strategies.base import Finished, State, Strategy, share, stepped, within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedtui.learning.params import Vector
    from fedtui.strategies.base import Arithmetic, Cohort, Local, Wide


@dataclass(frozen=True, slots=True)
class FedDyn(Strategy):
    """`alpha` in (0, 100]: the strength of the bend; `population`: how many nodes there are."""

    kept: ClassVar[tuple[str, ...]] = ("h",)
    held: ClassVar[tuple[str, ...]] = ("gradient",)
    wants: ClassVar[frozenset[str]] = frozenset(
        {"sgd", "no momentum", "equal weights", "whole updates", "population"}
    )

    alpha: float = 0.1
    population: int = 0

    def __post_init__(self) -> None:
        within(0, self.alpha, 100, "alpha")
        if self.population:
            within(1, self.population, 10**6, "population")

    def guide(
        self,
        carried: Mapping[str, Vector],  # noqa: ARG002 - nothing travels
        held: Mapping[str, Vector],
    ) -> Vector:
        return held["gradient"]

    def correct(
        self, grad: Arithmetic, param: Arithmetic, anchor: Arithmetic, extra: Arithmetic | None
    ) -> Arithmetic:
        pulled = grad + self.alpha * (param - anchor)
        return pulled if extra is None else pulled - extra

    def finish(self, local: Local) -> Finished:
        gradient_D = local.held["gradient"] - np.float32(self.alpha) * local.update_D
        return Finished(update_D=local.update_D, held={"gradient": gradient_D})

    def apply(
        self, model_C: Vector, mean_C: Wide, state: State, cohort: Cohort
    ) -> tuple[Vector, State]:
        part = share(cohort, self.population)
        h_C = state.vectors["h"] - self.alpha * part * mean_C
        return stepped(model_C, mean_C - h_C / self.alpha), State({"h": h_C})


build = FedDyn
