"""Updates in memory, and what a round's aggregator makes of them, run as rounds run it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedtui.aggregators.base import Aggregator
from fedtui.combining import aggregating

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """An update in memory."""

    vector_D: Rows

    def read(self, first: int, count: int) -> Rows:
        return self.vector_D[first : first + count]


def one_by_one(work: Callable[[int], object], starts: range) -> object:
    return map(work, starts)


def aggregate(
    rule: Aggregator,
    rows_ND: Rows,
    *,
    mix: float | None = None,
    weights: Sequence[int] | None = None,
    chunk: int = 2**16,
    guide: int = 0,
) -> NDArray[np.float64]:
    """What a round makes of these updates; a guided rule trusts the one at `guide`."""
    counts = [1] * len(rows_ND) if weights is None else list(weights)
    updates = [(Held(row_D), weight) for row_D, weight in zip(rows_ND, counts, strict=True)]
    length = rows_ND.shape[1]
    prepared = aggregating.prepare(rule, mix, updates, length, one_by_one, guide)  # type: ignore[arg-type]
    return np.concatenate(
        [
            prepared.combine([update.read(first, chunk) for update, _ in updates])
            for first in range(0, length, chunk)
        ]
    )


def rows(*lists: list[float]) -> Rows:
    """Updates by their values."""
    return np.array(lists, np.float32)
