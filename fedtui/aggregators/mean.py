"""The weighted mean of FedAvg (McMahan et al., 2017, arXiv 1602.05629), whatever the order.

    mean = sum_i  rint(update_i * (w_i / W) * 2**52) * 2**-52        W = sum of all w_i

Floating-point addition depends on its order, integer addition does not. So each update is scaled
in float64, rounded to a multiple of 2**-52 and added up in int64: any permutation of the updates
gives the same bits, and the result is within (N + 2) * 2**-53 + 2**-50 * max|update| of the exact
mean.

It cannot overflow. |update_i| < 1024 = 2**10 is checked before, and the shares w_i / W add up to
1, each rounded by a relative 2**-53, as is the product. So the absolute terms add up to less than
2**10 * 2**52 * (1 + 2**-51) + N / 2, where N / 2 is the rounding of N terms. For N <= 2**40 that
is below 2**62 + 2**12 + 2**39 < 2**63.

The one trap: W is the sum over exactly the updates given here. Divide by the weight of those who
were invited and every drop-out shrinks the step.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fedtui.aggregators.base import Aggregator, Chunk, Combined, View, weighted_sum


@dataclass(frozen=True, slots=True)
class Mean(Aggregator):
    """Weighted mean, exact to the last bit in any order."""

    view: ClassVar[View] = View.SUM
    weighs: ClassVar[bool] = True

    def combine(self, updates: Iterable[Chunk], weights: Sequence[int]) -> Combined:
        """The mean of the updates' chunks as float64.

        Raises:
            ValueError: no update, a weight below 1, or not as many updates as weights.
        """
        if not weights or min(weights) < 1:
            raise ValueError("a mean needs at least one update, and positive integer weights")
        total = sum(weights)
        return weighted_sum(updates, [weight / total for weight in weights])


build = Mean
