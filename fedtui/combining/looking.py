"""What each update looks like beside the others: made on the way, while updates are combined.

    length   |u|, of all its values
    cosine   of the angle between u and the median of every coordinate, which few bad updates do
             not move; over at most SAMPLE values, evenly spread, so its error is about 1/128

Work is bounded: one product a value for the lengths, and a median of SAMPLE values of each update
whatever the model's size. It judges nothing: honest nodes with unlike data stand out, too, and who
knows of it can look like the others.

Shapes: `_C` is one chunk of a vector of D values, `_NS` the sampled ones of each of N updates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.aggregators.base import Chunk

Glance: TypeAlias = npt.NDArray[np.float64]
"""Of one chunk, 4 x N: the squares of each update; of what is sampled of it the squares, the
products with the median, and the squares of the median."""
SAMPLE = 2**14
_SPAN = 2**13  # a product of so many values wakes no threads of BLAS


@dataclass(frozen=True, slots=True)
class Look:
    """Of one update. `cosine` is None if it, or the median, is nothing but zeros."""

    length: float
    cosine: float | None


class Looking:
    """Adds up what is seen of every chunk; `glance` is safe in many threads, `add` in one."""

    def __init__(self, num_updates: int, num_values: int) -> None:
        self._step = -(-num_values // SAMPLE) | 1  # odd, as most shapes are even
        self._sums_KN = np.zeros((4, num_updates))

    def glance(self, first: int, chunks: Sequence[Chunk]) -> Glance:
        """One chunk of every update, that begins at value `first`."""
        place = slice(-first % self._step, None, self._step)
        sample_NS = np.stack([chunk_C[place] for chunk_C in chunks]).astype(np.float64)
        median_S = np.median(sample_NS, axis=0) if sample_NS.size else np.zeros(0)
        sums_KN = np.empty((4, len(chunks)))
        sums_KN[0] = [_square(chunk_C) for chunk_C in chunks]
        sums_KN[1] = np.square(sample_NS).sum(axis=1)
        sums_KN[2] = (sample_NS * median_S).sum(axis=1)
        sums_KN[3] = np.square(median_S).sum()
        return sums_KN

    def add(self, seen: Glance) -> None:
        """The next chunk, in order."""
        self._sums_KN += seen

    def looks(self) -> tuple[Look, ...]:
        """Of every update, in their order, once all chunks were seen."""
        return tuple(
            Look(math.sqrt(square), _cosine(along, sampled, median))
            for square, sampled, along, median in self._sums_KN.T.tolist()
        )


def _square(chunk_C: Chunk) -> float:
    spans = (chunk_C[first : first + _SPAN] for first in range(0, len(chunk_C), _SPAN))
    return math.fsum(float(np.dot(span_S, span_S)) for span_S in spans)


def _cosine(along: float, one: float, other: float) -> float | None:
    if one == 0 or other == 0:
        return None
    return max(-1.0, min(1.0, along / math.sqrt(one) / math.sqrt(other)))
