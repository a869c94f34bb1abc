"""Uniform selection: every set of the wanted size is equally likely, as in FedAvg.

McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data",
AISTATS 2017, algorithm 1. Trap: nodes that are often away are underrepresented all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.selection.base import Candidate, Selection, some

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


@dataclass(frozen=True, slots=True)
class Uniform(Selection):
    """No options."""

    def pick(
        self,
        present: Sequence[Candidate],
        size: int,
        rng: np.random.Generator,
        number: int,  # noqa: ARG002 - every round is like the others
    ) -> frozenset[bytes]:
        return frozenset(some([one.node for one in present], size, rng))


build = Uniform
