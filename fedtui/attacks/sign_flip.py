"""Sign flip: send the opposite of what was learned (Li et al. 2019, arXiv:1811.03761).

The rule: -strength * update. The trap: with few attackers and a strength of 1 the mean only
shrinks, so training slows down rather than fails; it turns round once
fraction * (1 + strength) > 1.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fedtui.attacks.base import Attack

if TYPE_CHECKING:
    from fedtui.learning.params import Vector


@dataclass(frozen=True, slots=True)
class SignFlip(Attack):
    """`strength` in (0, 1000]: how long the opposite is, in lengths of the honest update."""

    strength: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1000:
            raise ValueError(f"strength is {self.strength}, expected 0 < strength <= 1000")

    def update(self, update_D: "Vector", rng: np.random.Generator) -> "Vector":  # noqa: ARG002
        return update_D * np.float32(-self.strength)


build = SignFlip
