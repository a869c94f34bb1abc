"""Random subsets by a shared seed (Konecny et al. 2016, arXiv:1610.05492, "random mask").

In each round `fraction` of the values of every block leaves, the same of all nodes, drawn anew by
the round: so they add up, under masks, too, and which they are need not be sent. The rest of the
model stays as it is in that round.

What comes back is divided by the share that left, so over the rounds the model moves as far as it
would have (docs/results.md: without it, a quarter of the values learns a quarter as fast). The
traps: each value moves seldom and far, so small fractions want a smaller learning rate or
`scaled` off; and strategies that carry vectors, of which all must arrive, are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fedtui.transforms.base import Real, Transform, Where, fraction_within, part_of

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class RandomSubset(Transform):
    """`fraction` in (0, 1] of the values leaves; `scaled`: what comes back is divided by it."""

    lossless: ClassVar[bool] = False

    fraction: float = 0.25
    scaled: bool = True

    def __post_init__(self) -> None:
        fraction_within(self.fraction)
        if not isinstance(self.scaled, bool):
            raise TypeError(f"scaled is {self.scaled!r}, expected true or false")

    def size(self, num_values: int) -> int:
        return part_of(num_values, self.fraction)

    def forward(self, values_B: npt.NDArray[np.float32], where: Where) -> npt.NDArray[np.float32]:
        return values_B[self._chosen(len(values_B), where)]

    def backward(
        self, sent_S: npt.NDArray[Real], num_values: int, where: Where
    ) -> npt.NDArray[Real]:
        values_B = np.zeros(num_values, sent_S.dtype)
        by = num_values / len(sent_S) if self.scaled else 1.0
        values_B[self._chosen(num_values, where)] = sent_S * sent_S.dtype.type(by)
        return values_B

    def _chosen(self, num_values: int, where: Where) -> npt.NDArray[np.intp]:
        """Which values leave, rising."""
        lots, num_kept = where.words(num_values), self.size(num_values)
        last = np.partition(lots, num_kept - 1)[num_kept - 1]
        return np.flatnonzero(lots <= last)[:num_kept]


build = RandomSubset
