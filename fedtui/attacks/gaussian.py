"""Gaussian: send noise instead of what was learned (Blanchard et al. 2017, arXiv:1703.02757).

The rule: every value is drawn from N(0, sigma^2). The trap: of n independent values the norm is
about sigma * sqrt(D), so a sigma that looks small drowns everything in a large model (the paper's
is 200); and under masks values are cut off at the plan's value range.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fedtui.attacks.base import Attack

if TYPE_CHECKING:
    from fedtui.learning.params import Vector


@dataclass(frozen=True, slots=True)
class Gaussian(Attack):
    """`sigma` in (0, 1e6]: the standard deviation of every value that is sent."""

    trains: ClassVar[bool] = False

    sigma: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.sigma <= 1e6:
            raise ValueError(f"sigma is {self.sigma}, expected 0 < sigma <= 1e6")

    def update(self, update_D: "Vector", rng: np.random.Generator) -> "Vector":
        return rng.standard_normal(len(update_D), np.float32) * np.float32(self.sigma)


build = Gaussian
