"""Selection: the protocol that every file in this folder implements."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Selection(Protocol):
    """Picks a cohort. Pure: the same arguments give the same cohort."""

    def pick(
        self, present: Sequence[bytes], size: int, rng: np.random.Generator
    ) -> frozenset[bytes]:
        """Choose `size` of the node ids `present` (sorted, distinct); all if there are fewer."""
        ...
