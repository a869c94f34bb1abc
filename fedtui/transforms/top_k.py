"""Top-k with error feedback (Stich et al. 2018, arXiv:1809.07599).

Of every block the `fraction` of values that are largest in magnitude leaves, with their places.
What did not leave is kept by the node and added to its next update, so it leaves once it has
become large enough.

    block on the wire = k values, float32, then k places in the block, uint16, rising, two to each
                        32-bit number (of an odd k the last one's upper half is 0)

Six bytes for each value that leaves. Every node chooses other places, so this cannot be added up
under masks, and the places themselves say something of a node's examples: for visible updates
only, and last in a chain. The traps: a node that is rarely picked sends old remains, and momentum
of its own makes that worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fedtui.transforms.base import Real, Transform, TransformError, Where, fraction_within, part_of

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class TopK(Transform):
    """`fraction` in (0, 0.5] of the values leaves: from 2/3 on it would be more than all."""

    summable: ClassVar[bool] = False
    lossless: ClassVar[bool] = False
    remembers: ClassVar[bool] = True

    fraction: float = 0.05

    def __post_init__(self) -> None:
        fraction_within(self.fraction, 0.5)

    def size(self, num_values: int) -> int:
        num_kept = part_of(num_values, self.fraction)
        return num_kept + (num_kept + 1) // 2

    def forward(
        self,
        values_B: npt.NDArray[np.float32],
        where: Where,  # noqa: ARG002 - the values alone decide
    ) -> npt.NDArray[np.float32]:
        num_kept = part_of(len(values_B), self.fraction)
        chosen = _largest(np.abs(values_B), num_kept)
        packed: npt.NDArray[np.uint16] = np.zeros(num_kept + num_kept % 2, "<u2")
        packed[:num_kept] = chosen
        sent_S = np.empty(self.size(len(values_B)), "<f4")
        sent_S[:num_kept] = values_B[chosen]
        sent_S.view("<u4")[num_kept:] = packed.view("<u4")
        return sent_S

    def backward(
        self,
        sent_S: npt.NDArray[Real],
        num_values: int,
        where: Where,  # noqa: ARG002
    ) -> npt.NDArray[Real]:
        if sent_S.dtype != np.float32:
            raise TransformError("what top_k made cannot be added up")
        num_kept = part_of(num_values, self.fraction)
        words = np.ascontiguousarray(sent_S, "<f4").view("<u4")
        packed = words[num_kept:].view("<u2")
        places = packed[:num_kept].astype(np.int64)
        if packed[num_kept:].any() or places[-1] >= num_values or (np.diff(places) <= 0).any():
            raise TransformError(
                f"the places of an update's values do not rise within its {num_values:,} values"
            )
        values_B = np.zeros(num_values, sent_S.dtype)
        values_B[places] = sent_S[:num_kept]
        return values_B


def _largest(sizes_B: npt.NDArray[np.float32], num_kept: int) -> npt.NDArray[np.intp]:
    """Where the largest are, rising; of equal ones the first."""
    least = np.partition(sizes_B, len(sizes_B) - num_kept)[len(sizes_B) - num_kept]
    above = np.flatnonzero(sizes_B > least)
    equal = np.flatnonzero(sizes_B == least)[: num_kept - len(above)]
    return np.sort(np.concatenate([above, equal]))


build = TopK
