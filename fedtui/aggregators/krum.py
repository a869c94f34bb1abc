"""Krum and Multi-Krum (Blanchard et al. 2017, arXiv:1703.02757, sections 4 and 5).

    score_i = sum of |u_i - u_j|**2 over the N - F - 2 updates u_j that are nearest to u_i

F updates are reckoned bad. Krum takes the update with the least score, Multi-Krum the mean of the
`keep` that have the least: the same rule, so one file. Every update has one vote, whatever it
weighs. Krum needs N >= 2F + 3; Multi-Krum's proof N - F >= keep as well.

The trap: with keep = 1 the model learns from one node a round, and from unlike nodes never from
those that are far from all others. Distances grow with the number of values: a bad update may
hide a large change of a few of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fedtui.aggregators.base import (
    Aggregator,
    Products,
    Shares,
    check_bad,
    check_whole,
    num_bad,
    squared_distances,
)

MOST_BAD = 0.49
MOST_KEPT = 2**15


@dataclass(frozen=True, slots=True)
class Krum(Aggregator):
    """`bad`: how many updates may be bad, or which share; `keep`: how many are averaged.

    `keep` is 1 for Krum; 0 keeps all that are not reckoned bad, N - F.
    """

    by_products: ClassVar[bool] = True

    bad: float = 0.2
    keep: int = 1

    def __post_init__(self) -> None:
        check_bad(self.bad, MOST_BAD)
        check_whole(0, self.keep, MOST_KEPT, "keep")

    def misfit(self, num_updates: int) -> str:
        bad = num_bad(self.bad, num_updates)
        least = max(2 * bad + 3, bad + self.keep)
        if num_updates >= least:
            return ""
        kept = f" and keep {self.keep}" if self.keep > 1 else ""
        return f"at least {least} updates to reckon with {bad} bad ones{kept}"

    def shares(self, products_NN: Products) -> Shares:
        num = len(products_NN)
        bad = num_bad(self.bad, num)
        near_NN = np.sort(squared_distances(products_NN), axis=1)[:, 1 : num - bad - 1]
        order_N = np.argsort(near_NN.sum(axis=1), kind="stable")
        keep = self.keep or num - bad
        shares_MN = np.zeros((1, num))
        shares_MN[0, order_N[:keep]] = 1.0 / keep
        return shares_MN


build = Krum
