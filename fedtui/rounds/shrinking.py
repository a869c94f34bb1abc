"""A chain of transforms over whole vectors, block by block: what leaves, and what it stands for.

Shapes: `_W` is an update of N float32 values as training made it, `_M` the M that leave of it.
Each is a row of blocks; all but the last block are equally long, in `_W` BLOCK values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fedtui import plugins
from fedtui.transforms.base import BLOCK, Real, Transform, Where

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from fedtui.learning.params import Vector

UNSENT = "unsent"
"""The name under which a node holds what did not leave, beside what its strategy holds."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Transforms in the order in which a node applies them; none: everything leaves as it is."""

    transforms: tuple[Transform, ...] = ()

    @property
    def remembers(self) -> bool:
        """Whether the node holds what did not leave."""
        return any(one.remembers for one in self.transforms)

    def sizes(self, num_values: int) -> list[int]:
        """Of a block of so many values: how long it is before the first, and after each."""
        found = [num_values]
        for one in self.transforms:
            found.append(one.size(found[-1]))
        return found

    def num_sent(self, num_values: int) -> int:
        """M of N."""
        num_whole, rest = divmod(num_values, BLOCK)
        whole = num_whole * self.sizes(BLOCK)[-1] if num_whole else 0
        return whole + (self.sizes(rest)[-1] if rest else 0)

    def place_of(self, block: int, num_values: int) -> slice:
        """Where a block of a vector of N values lies in what leaves."""
        first = block * self.sizes(BLOCK)[-1]
        inside = min(BLOCK, num_values - block * BLOCK)
        return slice(first, first + self.sizes(inside)[-1])

    def forward(self, values_B: Vector, of: Spot, block: int) -> Vector:
        """What leaves of one block."""
        for place, one in enumerate(self.transforms):
            values_B = one.forward(values_B, of.where(place, block))
        return values_B

    def backward(
        self, sent_S: npt.NDArray[Real], num_values: int, of: Spot, block: int
    ) -> npt.NDArray[Real]:
        """The block of `num_values` that it stands for. Raises TransformError."""
        sizes = self.sizes(num_values)
        for place in reversed(range(len(self.transforms))):
            sent_S = self.transforms[place].backward(sent_S, sizes[place], of.where(place, block))
        return sent_S


@dataclass(frozen=True, slots=True)
class Spot:
    """The seed of a plan and one of its rounds."""

    seed: int
    round: int

    def where(self, place: int, block: int) -> Where:
        return Where(self.seed, self.round, place, block)


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """What leaves of an update, and what the node holds from now on because it did not leave."""

    vector_M: Vector
    held: dict[str, Vector]


def sent(chain: Chain, update_W: Vector, held: Mapping[str, Vector] | None, of: Spot) -> Sent:
    """What leaves of an update; `held` is what the node held before (None: nothing).

    Raises:
        ValueError: what it held is of another model.
    """
    if not chain.transforms:
        return Sent(update_W, {})
    unsent_W = (held or {}).get(UNSENT) if chain.remembers else None
    if unsent_W is not None and unsent_W.shape != update_W.shape:
        raise ValueError("what this node holds of earlier updates is of another model")
    num_values = len(update_W)
    vector_M = np.empty(chain.num_sent(num_values), np.float32)
    left_W = np.empty_like(update_W) if chain.remembers else None
    for block, first in enumerate(range(0, num_values, BLOCK)):
        place = slice(first, min(first + BLOCK, num_values))
        whole_B = update_W[place]
        if unsent_W is not None:
            whole_B = whole_B + unsent_W[place]
        leaving_S = chain.forward(whole_B, of, block)
        vector_M[chain.place_of(block, num_values)] = leaving_S
        if left_W is not None:
            left_W[place] = whole_B - chain.backward(leaving_S, len(whole_B), of, block)
    return Sent(vector_M, {} if left_W is None else {UNSENT: left_W})


def built(steps: Iterable[tuple[str, Mapping[str, object]]]) -> Chain:
    """The chain of these (name, options). Raises PluginError as plugins.build."""
    made: Sequence[Transform] = [
        plugins.build("transforms", name, **options) for name, options in steps
    ]
    return Chain(tuple(made))
