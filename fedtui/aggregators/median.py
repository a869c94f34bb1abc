"""The median of every coordinate (Yin et al. 2018, arXiv:1803.01498, definition 1).

Of an even number of updates it is the mean of the two in the middle. Bounded by what honest nodes
send as long as fewer than half of the updates are bad. Every update has one vote: weights say
nothing, so claiming examples moves nothing.

The trap: a coordinate by itself is where most updates are not, if what nodes have differs a lot:
with labels that only few nodes hold, the median hardly learns them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fedtui.aggregators.base import Aggregator, Chunk, Combined, sorted_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEAST = 3


@dataclass(frozen=True, slots=True)
class Median(Aggregator):
    """No options."""

    def misfit(self, num_updates: int) -> str:
        return "" if num_updates >= LEAST else f"at least {LEAST} updates"

    def combine(self, updates: Iterable[Chunk], weights: Sequence[int]) -> Combined:
        values_CN = sorted_columns(updates, weights)
        num = values_CN.shape[1]
        middle_C: Combined = values_CN[:, (num - 1) // 2].astype(np.float64)
        middle_C += values_CN[:, num // 2]
        middle_C *= 0.5
        return middle_C


build = Median
