"""q-FedAvg: nodes that the model serves badly count more (Li et al. 2020, arXiv:1905.10497).

It minimises sum F_k**(q + 1), with F_k the loss of the global model w on node k's own examples.
With L = 1 / learning_rate and u_k = w_k - w (Algorithm 2, each side divided by L):

    node          sends  F_k**q * u_k   and   h_k = q * F_k**(q-1) * L * |u_k|**2 + F_k**q
    coordinator   w <- w + (sum of what was sent) / (sum of h_k)

q = 0 is FedAvg with equal weights. The trap: F_k**q of a loss near 0 is lost in rounding, above
all under masks, where h_k is written to 2**-16: keep q small (0.1 to 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fedtui.strategies.base import Finished, Strategy, stepped, within

if TYPE_CHECKING:
    from fedtui.learning.params import Vector
    from fedtui.strategies.base import Cohort, Local, State, Wide

_LEAST_LOSS = 1e-10  # as in the authors' code: no power of 0


@dataclass(frozen=True, slots=True)
class QFedAvg(Strategy):
    """`q` in [0, 10]: how much more a node counts that is served badly."""

    scalars: ClassVar[tuple[str, ...]] = ("h",)
    needs_loss: ClassVar[bool] = True
    wants: ClassVar[frozenset[str]] = frozenset({"sgd", "equal weights", "whole updates"})

    q: float = 0.2

    def __post_init__(self) -> None:
        if self.q != 0:
            within(0, self.q, 10, "q")

    def finish(self, local: Local) -> Finished:
        loss = max(local.loss, _LEAST_LOSS)
        share = loss**self.q
        square = float(np.square(local.update_D, dtype=np.float64).sum())
        h = self.q * loss ** (self.q - 1) * square / local.training.learning_rate + share
        return Finished(update_D=local.update_D * np.float32(share), scalars={"h": h})

    def apply(
        self, model_C: Vector, mean_C: Wide, state: State, cohort: Cohort
    ) -> tuple[Vector, State]:
        return stepped(model_C, mean_C / cohort.means["h"]), state


build = QFedAvg
