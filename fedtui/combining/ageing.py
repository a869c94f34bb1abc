"""Late updates on their way into a mean: shortened as the strategy says of their staleness."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fedtui.combining.visible import Values
from fedtui.learning.params import Vector
from fedtui.rounds.lateness import BEHIND
from fedtui.strategies.base import Strategy


@dataclass(frozen=True, slots=True)
class _Shortened:
    whole: Values
    share: np.float32

    @property
    def num_values(self) -> int:
        return self.whole.num_values

    def read(self, first: int, count: int) -> Vector:
        return self.whole.read(first, count) * self.share


def aged(update: Values, strategy: Strategy, says: Mapping[str, float]) -> Values:
    """The update as it counts; `says` is what was noted beside it (Contribution.scalars)."""
    behind = says.get(BEHIND, 0.0)
    return _Shortened(update, np.float32(strategy.fresh(int(behind)))) if behind else update
