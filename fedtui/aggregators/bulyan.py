"""Bulyan (El Mhamdi, Guerraoui, Rouault 2018, arXiv:1802.07927, section 4).

Two steps, for N updates of which F are reckoned bad, N >= 4F + 3:

1. Krum picks one update after the other out of those that are left, N - 2F of them.
2. Of every coordinate the mean of the N - 4F values nearest to the median of the picked ones.

A bad update can neither be far away (Krum) nor hide a large change of a few values (2). Every
update has one vote, whatever it weighs.

As fewer are left, Krum's sum is over the (number left) - F - 2 nearest, and over two at least: two
that are each other's nearest would tie otherwise.

The trap: it throws away most of the updates. With few nodes, or unlike ones, little is left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fedtui.aggregators.base import (
    Aggregator,
    Chunk,
    Combined,
    Products,
    Shares,
    check_bad,
    num_bad,
    sorted_columns,
    squared_distances,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_BAD = 0.24
LEAST_NEAR = 2


@dataclass(frozen=True, slots=True)
class Bulyan(Aggregator):
    """`bad`: how many updates may be bad, or which share of them (up to 0.24)."""

    by_products: ClassVar[bool] = True

    bad: float = 0.15

    def __post_init__(self) -> None:
        check_bad(self.bad, MOST_BAD)

    def misfit(self, num_updates: int) -> str:
        bad = num_bad(self.bad, num_updates)
        least = 4 * bad + 3
        if num_updates >= least:
            return ""
        return f"at least {least} updates to reckon with {bad} bad ones"

    def shares(self, products_NN: Products) -> Shares:
        num = len(products_NN)
        bad = num_bad(self.bad, num)
        distances_NN = squared_distances(products_NN)
        left = list(range(num))
        picked: list[int] = []
        while len(picked) < num - 2 * bad:
            near = max(LEAST_NEAR, len(left) - bad - 2)
            here_LL = np.sort(distances_NN[np.ix_(left, left)], axis=1)
            best = int(np.argmin(here_LL[:, 1 : 1 + near].sum(axis=1)))
            picked.append(left.pop(best))
        return np.eye(num)[sorted(picked)]

    def for_round(self, num_updates: int) -> Bulyan:
        return replace(self, bad=num_bad(self.bad, num_updates))

    def combine(self, updates: Iterable[Chunk], weights: Sequence[int]) -> Combined:
        values_CM = sorted_columns(updates, weights)
        num = values_CM.shape[1]
        return nearest_mean(values_CM, num - 2 * num_bad(self.bad, num))


def nearest_mean(values_CM: Chunk, keep: int) -> Combined:
    """Of each row of sorted values the mean of the `keep` that are nearest to its median.

    Of two equally far ones the smaller stays.
    """
    length, num = values_CM.shape
    median_C = 0.5 * (values_CM[:, (num - 1) // 2].astype(np.float64) + values_CM[:, num // 2])
    rows_C = np.arange(length)
    low_C = np.zeros(length, np.intp)
    for dropped in range(num - keep):
        high_C = low_C + (num - 1 - dropped)
        below_C = median_C - values_CM[rows_C, low_C]
        above_C = values_CM[rows_C, high_C] - median_C
        low_C += below_C > above_C
    window_CK = low_C[:, None] + np.arange(keep)
    kept_CK = np.take_along_axis(values_CM, window_CK, axis=1)
    mean_C: Combined = kept_CK.sum(axis=1, dtype=np.float64)
    mean_C /= keep
    return mean_C


build = Bulyan
