"""Uniform selection: every set of the wanted size is equally likely, as in FedAvg.

McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data",
AISTATS 2017, algorithm 1. Trap: nodes that are often away are underrepresented all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Uniform:
    """No options."""

    def pick(
        self, present: Sequence[bytes], size: int, rng: np.random.Generator
    ) -> frozenset[bytes]:
        if size >= len(present):
            return frozenset(present)
        chosen = rng.choice(len(present), size=size, replace=False)
        return frozenset(present[int(index)] for index in chosen)


build = Uniform
