"""Centred clipping (Karimireddy, He, Jaggi 2021, arXiv:2012.10333, algorithm 2).

    v <- 0;  then `steps` times:  v <- v + mean over i of (u_i - v) * min(1, radius / |u_i - v|)

Each update moves the result by `radius` / N in a step at most, so a bad one cannot do more than
any other. Every update has one vote, whatever it weighs.

In the paper v begins as the last round's result, with momentum on the workers; here nodes train
for epochs and updates are whole, so it begins at no change, and a few steps make up for that.
`radius` is a length; 0 takes the median length of u_i - v in each step, which suits itself as
training goes on.

The trap: a fixed radius that is too small bounds every round's step; too large, it bounds nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fedtui.aggregators.base import Aggregator, Products, Shares, check_whole, distances_to

LEAST = 3
MOST_STEPS = 1000


@dataclass(frozen=True, slots=True)
class CentredClip(Aggregator):
    """`radius` from 0 (by itself) on; `steps` from 1 to 1000."""

    by_products: ClassVar[bool] = True

    radius: float = 0.0
    steps: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.radius < math.inf:
            raise ValueError(f"radius is {self.radius}, expected a length, or 0: by itself")
        check_whole(1, self.steps, MOST_STEPS, "steps")

    def misfit(self, num_updates: int) -> str:
        return "" if num_updates >= LEAST else f"at least {LEAST} updates"

    def shares(self, products_NN: Products) -> Shares:
        num = len(products_NN)
        shares_N = np.zeros(num)
        for _ in range(self.steps):
            far_N = distances_to(products_NN, shares_N)
            radius = self.radius or float(np.median(far_N))
            cut_N = np.minimum(1.0, radius / np.where(far_N > 0, far_N, np.inf))
            cut_N[far_N == 0] = 1.0
            shares_N = shares_N * (1.0 - cut_N.mean()) + cut_N / num
        return shares_N[None, :]


build = CentredClip
