"""Free rider: take the model, contribute nothing (Fraboni et al. 2021, arXiv:2006.11901).

The rule: no change at all, that is, the global model as it came, under noise of N(0, noise^2) so
that it does not show; and the number of examples may be exaggerated to earn a greater share. The
trap: the damage is small, convergence only slows down, so accuracy is the wrong place to look.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fedtui.attacks.base import Attack

if TYPE_CHECKING:
    from fedtui.learning.params import Vector

MOST_EXAMPLES = 2**40
"""As many as the protocol lets anybody have."""


@dataclass(frozen=True, slots=True)
class FreeRider(Attack):
    """`noise` in [0, 1000] is a standard deviation; `exaggeration` in [1, 10000] a factor."""

    trains: ClassVar[bool] = False

    noise: float = 1e-3
    exaggeration: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.noise <= 1000:
            raise ValueError(f"noise is {self.noise}, expected 0 <= noise <= 1000")
        if not 1 <= self.exaggeration <= 10_000:
            raise ValueError(
                f"exaggeration is {self.exaggeration}, expected 1 <= exaggeration <= 10000"
            )

    def update(self, update_D: "Vector", rng: np.random.Generator) -> "Vector":
        return rng.standard_normal(len(update_D), np.float32) * np.float32(self.noise)

    def claimed(self, num_examples: int) -> int:
        return min(round(num_examples * self.exaggeration), MOST_EXAMPLES)


build = FreeRider
