"""What nodes made smaller becomes values again, block by block: of one update, or of a mean.

A visible update is restored as it is read, a masked mean once it was opened: for that its parts,
which come in the chunks of the encoding, are put together into blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fedtui.transforms.base import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fedtui.combining.visible import Values
    from fedtui.learning.params import Vector
    from fedtui.rounds.shrinking import Chain, Spot
    from fedtui.strategies.base import Wide


@dataclass(frozen=True, slots=True)
class Restored:
    """How the vector that nodes sent in a round becomes `num_values` values."""

    chain: Chain
    spot: Spot
    num_values: int

    def blocks(self, parts: Iterable[list[Wide]]) -> Iterator[Wide]:
        """The blocks of a vector that comes in parts of any length. Raises TransformError."""
        waiting: list[Wide] = []
        num_waiting = block = 0
        for several in parts:
            waiting += several
            num_waiting += sum(map(len, several))
            while block * BLOCK < self.num_values and num_waiting >= self._sent(block):
                whole = np.concatenate(waiting)
                sent_S, rest = whole[: self._sent(block)], whole[self._sent(block) :]
                waiting, num_waiting = [rest], len(rest)
                yield self.chain.backward(sent_S, self._size(block), self.spot, block)
                block += 1

    def _size(self, block: int) -> int:
        return min(BLOCK, self.num_values - block * BLOCK)

    def _sent(self, block: int) -> int:
        place = self.chain.place_of(block, self.num_values)
        return int(place.stop) - int(place.start)


@dataclass(frozen=True, slots=True)
class Update:
    """A visible update, restored as it is read. Safe in many threads, as what it reads is."""

    sent: Values
    whole: Restored

    @property
    def num_values(self) -> int:
        return self.whole.num_values

    def read(self, first: int, count: int) -> Vector:
        """As `Values.read`; the blocks that hold the values are restored.

        Raises:
            TransformError: no honest node sends this.
            CannotCombineError: as `Values`.
        """
        blocks = range(first // BLOCK, -(-min(first + count, self.num_values) // BLOCK))
        parts = [self._block(block) for block in blocks]
        inside = first % BLOCK
        return np.concatenate(parts)[inside : inside + count] if parts else np.empty(0, np.float32)

    def _block(self, block: int) -> Vector:
        whole = self.whole
        place = whole.chain.place_of(block, whole.num_values)
        sent_S = self.sent.read(place.start, place.stop - place.start)
        num_values = min(BLOCK, whole.num_values - block * BLOCK)
        return whole.chain.backward(sent_S, num_values, whole.spot, block)


def restored(sent: Values, chain: Chain, spot: Spot, num_values: int) -> Values:
    """A visible update of `num_values`, as its node made it; what is sent of it lies in `sent`."""
    if not chain.transforms:
        return sent
    return Update(sent, Restored(chain, spot, num_values))
