"""The mean of every coordinate without its extremes (Yin et al. 2018, arXiv:1803.01498, def. 2).

Of every coordinate the `bad` largest and the `bad` smallest values are left out. Bounded by what
honest nodes send as long as no more than `bad` updates are bad; it needs more than twice as many.
Every update has one vote: weights say nothing, so claiming examples moves nothing.

The trap: too large a `bad` throws away what only few nodes know, as the median does; too small a
one trims honest values and keeps a bad one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fedtui.aggregators.base import Aggregator, Chunk, Combined, check_bad, num_bad, sorted_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class TrimmedMean(Aggregator):
    """`bad`: how many updates may be bad (1, 2, ...), or which share of them (up to 0.49)."""

    bad: float = 0.2

    def __post_init__(self) -> None:
        check_bad(self.bad, 0.49)

    def misfit(self, num_updates: int) -> str:
        bad = num_bad(self.bad, num_updates)
        least = 2 * bad + 1
        return "" if num_updates >= least else f"at least {least} updates to leave out {bad} twice"

    def combine(self, updates: Iterable[Chunk], weights: Sequence[int]) -> Combined:
        values_CN = sorted_columns(updates, weights)
        num = values_CN.shape[1]
        bad = num_bad(self.bad, num)
        mean_C: Combined = values_CN[:, bad : num - bad].sum(axis=1, dtype=np.float64)
        mean_C /= num - 2 * bad
        return mean_C


build = TrimmedMean
