"""What a transform is: how a block of an update becomes fewer values on its way out, and back.

An update is cut into blocks of BLOCK values (the last may be shorter), and every block goes
through a plan's transforms in their order, each on what the one before gave; the coordinator takes
them back in the opposite order. Nobody ever needs more than a few blocks.

What both sides must choose alike follows from a `Where`: the plan's seed, the round, the place in
the chain and the block. It holds no secret, and no node's name: all nodes of a round choose alike,
so what a summable transform gives may be added up, under masks, too.

Shapes: `_B` is a block of n values, `_S` what is sent of it: `size(n)` values. All are float32,
but for means on their way back, which are float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from fedtui.crypto import keystream
from fedtui.crypto.keys import digest
from fedtui.errors import FedtuiError

BLOCK = 2**16
Real = TypeVar("Real", np.float32, np.float64)


class TransformError(FedtuiError, ValueError):
    """What was received is nothing that a transform could have made; the text says why."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which block of which round: equal on all sides."""

    seed: int
    round: int
    place: int
    block: int

    def words(self, count: int) -> keystream.Words:
        """`count` uniform uint64 words that belong to this place alone."""
        parts = (self.seed, self.round, self.place, self.block)
        seed = digest("fedtui1-transform", *(part.to_bytes(8, "little") for part in parts))
        size = keystream.CHUNK_WORDS
        found: keystream.Words = np.empty(count, np.uint64)
        for first in range(0, count, size):
            part_C = found[first : first + size]
            part_C[:] = keystream.chunk(seed, first // size, len(part_C))
        return found


class Transform:
    """Sends everything; a transform is a frozen dataclass of its options that overrides this.

    `summable`: linear, and equal on all nodes of a round. `lossless`: `backward` gives all back.
    What a transform that `remembers` does not send is kept by the node and added to its next
    update, so nothing is lost for good.
    """

    __slots__ = ()

    summable: ClassVar[bool] = True
    lossless: ClassVar[bool] = True
    remembers: ClassVar[bool] = False

    def size(self, num_values: int) -> int:
        """How many values leave of a block of `num_values`, 1 to BLOCK; at least 1."""
        return num_values

    def forward(self, values_B: npt.NDArray[np.float32], where: Where) -> npt.NDArray[np.float32]:  # noqa: ARG002
        """What leaves of a block; a new array, or the very same."""
        return values_B

    def backward(
        self,
        sent_S: npt.NDArray[Real],
        num_values: int,  # noqa: ARG002
        where: Where,  # noqa: ARG002
    ) -> npt.NDArray[Real]:
        """The block of `num_values` that this stands for, of the same type.

        Raises:
            TransformError: no `forward` gives this.
        """
        return sent_S


def fraction_within(value: object, most: float = 1.0) -> None:
    """Refuse a fraction that is no number in (0, most]."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"fraction is {value!r}, expected a number")
    if not 0 < value <= most:
        raise ValueError(f"fraction is {value}, expected 0 < fraction <= {most:g}")


def part_of(num_values: int, fraction: float) -> int:
    """So many values are this fraction of them; at least 1."""
    return max(1, int(fraction * num_values + 1e-9))
