"""What an aggregator is: it makes one mean update of the updates of a cohort.

It gets the updates of exactly the surviving participants, finite and below `VALUE_LIMIT` of
fedtui.wire.tensors in magnitude. It is called chunk by chunk, so that nobody ever holds N whole
models in memory. It must not depend on the order of the updates: participants arrive in any order,
and equal seeds give equal models.

Shapes: `update_C` is float32 of C values, a chunk of one update; the chunks of all N updates cover
the same values.
"""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

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
