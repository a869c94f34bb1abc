"""What an aggregator is, and which updates any of them may be given.

An aggregator combines the updates of the surviving participants into one mean update. It is
called chunk by chunk, so that nobody ever holds N whole models in memory. It must not depend on
the order of the updates: participants arrive in any order, and equal seeds give equal models.

Shapes: `update_C` is float32 of C values, a chunk of one update; the chunks of all N updates cover
the same values.
"""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

MAX_MAGNITUDE = 1024.0
"""An update's values are strictly between -MAX_MAGNITUDE and MAX_MAGNITUDE; checked on arrival."""

Chunk: TypeAlias = npt.NDArray[np.float32]
Combined: TypeAlias = npt.NDArray[np.float64]


class View(Enum):
    """What an aggregator must see; plan.check refuses one that sees more than the plan allows."""

    SUM = "sums of updates"
    GROUPS = "sums of groups of updates"
    EACH = "each single update"


class Aggregator(Protocol):
    """`combine` takes the same chunk of every update, and one positive integer weight for each."""

    view: View

    def combine(self, updates: Iterable[Chunk], weights: Sequence[int]) -> Combined: ...


def first_unfit(update_C: Chunk) -> int | None:
    """Index of the first value that cannot be aggregated (NaN, Inf or too large); None if all can.

    Costs one pass over the chunk; comparing is done so that a NaN counts as too large.
    """
    if not update_C.size:
        return None
    magnitude_C = np.abs(update_C)
    if magnitude_C.max() < MAX_MAGNITUDE:
        return None
    return int(np.argmax(~(magnitude_C < MAX_MAGNITUDE)))
