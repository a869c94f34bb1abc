"""From masked vectors to the next model, chunk by chunk; no single update is ever seen.

For each chunk of the encoding: read it of every vector, add up modulo 2**64, take the masks away,
divide the sums by the summed weight, add noise if the plan wants it of the coordinator, let the
strategy step from the base model, check, write. The
weight is a scalar at the end of the vectors, so the chunks that hold the scalars are opened first.
Memory is a few chunks, as in visible.py; but these chunks are the encoding's, and so are the
pieces of the model that go with them.

Whatever honest nodes could not have sent fails the round: a guard word that does not count the
survivors (opening.py), a weight that they cannot have together, a mean longer than the plan's
bound of every update.

Shapes: `_C` is one chunk of uint64 words.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fedtui.combining import bounding
from fedtui.combining.restoring import Restored
from fedtui.combining.visible import (
    CannotCombineError,
    Piece,
    Recipe,
    Sink,
    Start,
    in_order,
    put,
    step,
)
from fedtui.crypto.keystream import Words
from fedtui.privacy.noise import NoiseError
from fedtui.rounds import compression, masking
from fedtui.rounds.plan import Plan
from fedtui.rounds.shrinking import Spot
from fedtui.rounds.sums import training_sums
from fedtui.rounds.suspicion import GroupSeen
from fedtui.secagg import encoding, opening
from fedtui.secagg.coordinator import Coordinator, LostError, Unmasking
from fedtui.secagg.encoding import EncodingError, Slots
from fedtui.strategies.base import Wide
from fedtui.transforms.base import BLOCK, TransformError

_PIECE = 2**13  # wide values at a time: larger arrays would come from the kernel, page by page


class MaskedVector(Protocol):
    """A node's words to read, chunk by chunk. Safe in many threads."""

    def read(self, index: int) -> Words:
        """The words of one chunk; read-only.

        Raises:
            CannotCombineError: there are fewer than there should be.
        """


@dataclass(frozen=True, slots=True)
class Unmasked:
    """What comes out beside the model: training sums of the survivors, and who shared wrongly.

    `groups` are what was seen of the groups, if there are any.
    """

    sums: dict[str, float]
    liars: tuple[bytes, ...]
    groups: tuple[GroupSeen, ...] = ()


def unmask(
    recipe: Recipe,
    plan: Plan,
    start: Start,
    vectors: Sequence[MaskedVector],
    opener: Coordinator,
    sink: Sink,
) -> Unmasked:
    """Write the model after the round: `start` and the mean of the survivors' `vectors` on it.

    Slow: the secrets are recovered and every mask is made anew. Run it in a thread.

    Raises:
        CannotCombineError: the sum cannot be opened, or no honest nodes could have made it.
    """
    try:
        unmasking = opener.unmasking()
        mean = Mean(recipe, plan, start, vectors, unmasking)
        for pieces in mean.all_pieces():
            put(sink, pieces)
        mean.check_length()
    except (LostError, EncodingError, NoiseError, TransformError) as error:
        raise CannotCombineError(str(error)) from error
    sums = training_sums(mean.scalars) if plan.dp is None else {}
    return Unmasked(sums, opener.ids(unmasking.liars))


class Mean:
    """The mean update of one sum, as it comes out of the vectors."""

    def __init__(
        self,
        recipe: Recipe,
        plan: Plan,
        start: Start,
        vectors: Sequence[MaskedVector],
        unmasking: Unmasking,
    ) -> None:
        """Open the chunks that hold the scalars. Raises EncodingError."""
        self.layout = masking.encoding(plan, recipe.manifest.num_values, "update")
        spot = Spot(plan.seed, start.round)
        num_wide = recipe.manifest.num_values
        self._whole = Restored(compression.chain(plan, num_wide), spot, num_wide)
        self._recipe = recipe
        self._start = start
        self._vectors = vectors
        self._unmasking = unmasking
        self._clip = plan.training.update_clip
        self._squares = [0.0] * self.layout.num_chunks  # of the mean, chunk by chunk
        num_values, layout = self.layout.num_values, self.layout
        self._tail = {
            index: self._open(index)
            for index in range(layout.num_chunks)
            if layout.slots_of(index).stop > num_values
        }
        digits = [
            int(digit)
            for index, slots_S in self._tail.items()
            for digit in slots_S[max(0, num_values - layout.slots_of(index).start) :]
        ]
        num_survivors = unmasking.num_survivors
        self.scalars = encoding.scalars(layout, digits, num_survivors)
        self._share = masking.share_of_full(plan, self.scalars, num_survivors)
        weight = self._share * plan.weight_cap
        self._noise = start.hides(weight, num_values)
        self._bound = bounding.longest_mean(plan, self.layout, num_survivors, self._share)
        self._about = masking.cohort_of(plan, self.scalars, num_survivors)

    @property
    def num_survivors(self) -> int:
        return self._unmasking.num_survivors

    def as_sent(self) -> Iterator[list[Wide]]:
        """The mean of what was sent, in order: before transforms are taken back."""
        return in_order(self._means, range(self.layout.num_chunks))

    def all_pieces(self) -> Iterator[list[Piece]]:
        """The next model, in order. Raises TransformError."""
        indices = range(self.layout.num_chunks)
        if not self._whole.chain.transforms:
            yield from in_order(self._pieces, indices)
            return
        blocks = self._whole.blocks(in_order(self._means, indices))
        for block, mean_B in enumerate(blocks):
            yield step(self._recipe, self._start, block * BLOCK, mean_B, self._about)

    def _means(self, index: int) -> list[Wide]:
        """The part of the mean that chunk `index` holds, as it was sent."""
        return [mean_C for _, mean_C in self._parts(index)]

    def _pieces(self, index: int) -> list[Piece]:
        """The part of the next model that chunk `index` holds; empty if it holds scalars only."""
        pieces: list[Piece] = []
        for first, mean_C in self._parts(index):
            pieces += step(self._recipe, self._start, first, mean_C, self._about)
        return pieces

    def _parts(self, index: int) -> Iterator[tuple[int, Wide]]:
        """The mean's values in chunk `index`, a few at a time, with the place of the first."""
        place = self.layout.slots_of(index)
        num_values = max(0, min(place.stop, self.layout.num_values) - place.start)
        if not num_values:
            return
        slots_S = self._tail[index] if index in self._tail else self._open(index)
        for first in range(0, num_values, _PIECE):
            piece_C = slots_S[first : min(first + _PIECE, num_values)]
            mean_C = masking.mean_of(self.layout, piece_C, self._share)
            if self._bound is not None:  # not np.dot: BLAS would wake threads of its own for this
                self._squares[index] += float(np.square(mean_C).sum())
            if self._noise is not None:
                mean_C = self._noise.hide(mean_C, place.start + first)
            yield place.start + first, mean_C

    def check_length(self) -> None:
        """Whether updates within the plan's bound can have this mean, once all chunks are made.

        Raises:
            EncodingError: they cannot.
        """
        if self._bound is None:
            return
        length = math.sqrt(math.fsum(self._squares))
        if length > self._bound:
            raise EncodingError(
                f"the mean update has length {length:g}, but the plan bounds every update to "
                f"{self._clip:g}: one of them was spoilt"
            )

    def _open(self, index: int) -> Slots:
        """The summed slots of one chunk, without their masks."""
        total_C = np.zeros(self.layout.chunk_words(index), np.uint64)
        for vector in self._vectors:
            np.add(total_C, vector.read(index), out=total_C)
        return opening.open_chunk(self.layout, total_C, index, self._unmasking)
