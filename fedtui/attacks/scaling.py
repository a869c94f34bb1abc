"""Scaling: send a multiple of what was learned (Bagdasaryan et al. 2020, arXiv:1807.00459).

The rule: factor * update. With a factor of (nodes in the round) / (server learning rate) one node
replaces the whole model by its own, once the others have converged. The trap: it is the most
visible of all attacks, since any bound on the norm of an update removes it; and a node that is
merely larger than others is not an attacker.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fedtui.attacks.base import Attack

if TYPE_CHECKING:
    from fedtui.learning.params import Vector


@dataclass(frozen=True, slots=True)
class Scaling(Attack):
    """`factor` in (0, 10000]: how many times the honest update is sent."""

    factor: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.factor <= 10_000:
            raise ValueError(f"factor is {self.factor}, expected 0 < factor <= 10000")

    def update(self, update_D: "Vector", rng: np.random.Generator) -> "Vector":  # noqa: ARG002
        return update_D * np.float32(self.factor)


build = Scaling
