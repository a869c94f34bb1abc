"""The geometric median, RFA (Pillutla et al. 2022, arXiv:1912.13445, algorithm 2).

The point with the least sum of distances to all updates, by the smoothed Weiszfeld algorithm:

    v <- mean of all u_i;  then `steps` times:
    b_i = 1 / max(smoothing * s, |v - u_i|);  v <- sum b_i u_i / sum b_i

It stays near the honest updates as long as fewer than half are bad. In the paper updates count by
their examples; here each has one vote, whatever it weighs, as a node can claim any number. `s` is
the median distance of an update from the first v, so `smoothing` has no unit. All of it is
reckoned with inner products: v is always a mix of the updates.

The trap: few steps leave v between mean and median. Far outliers go quickly, near ones slowly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fedtui.aggregators.base import Aggregator, Products, Shares, check_whole, distances_to

LEAST = 3
MOST_STEPS = 1000


@dataclass(frozen=True, slots=True)
class GeometricMedian(Aggregator):
    """`steps` from 1 to 1000; `smoothing` in (0, 1]: distances below that count alike."""

    by_products: ClassVar[bool] = True

    steps: int = 32
    smoothing: float = 1e-6

    def __post_init__(self) -> None:
        check_whole(1, self.steps, MOST_STEPS, "steps")
        if not 0 < self.smoothing <= 1:
            raise ValueError(f"smoothing is {self.smoothing}, expected 0 < smoothing <= 1")

    def misfit(self, num_updates: int) -> str:
        return "" if num_updates >= LEAST else f"at least {LEAST} updates"

    def shares(self, products_NN: Products) -> Shares:
        num = len(products_NN)
        shares_N = np.full(num, 1.0 / num)
        far_N = distances_to(products_NN, shares_N)
        least = self.smoothing * float(np.median(far_N))
        for _ in range(self.steps):
            if not far_N.any():  # all updates are the same
                break
            pulls_N = 1.0 / np.maximum(far_N, least or far_N.max())
            shares_N = pulls_N / pulls_N.sum()
            far_N = distances_to(products_NN, shares_N)
        return shares_N[None, :]


build = GeometricMedian
