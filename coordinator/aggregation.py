"""From spooled updates to the next model, chunk by chunk: nobody ever holds a whole model here.

For each chunk of CHUNK values: read it of every update, combine, let the strategy step from the
base model, check, write. Two threads work on neighbouring chunks (numpy lets go of the interpreter
lock), and the chunks are written in order, so the file's digest is made on the way. Memory is a
few chunks, whatever the model's size and the number of updates.

Shapes: `_C` is one chunk; every vector on disk is raw little-endian float32 of D values.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from coordinator.files import DISK, Files
from fedtui.aggregators.base import Aggregator
from fedtui.learning.params import Manifest, Vector, first_outside
from fedtui.strategies.base import State, Strategy, Wide
from fedtui.wire.tensors import VALUE_LIMIT, to_bytes

CHUNK = 2**16
NUM_THREADS = 2
_VALUE_BYTES = 4
_SCAN_VALUES = 2**20


class CannotCombineError(Exception):
    """The updates at hand give no usable model; the text says why, for the round's record."""


@dataclass(frozen=True, slots=True)
class VectorFile:
    """`num_values` float32 values in an open file, from byte `start` on. Safe in many threads."""

    handle: int
    num_values: int
    start: int = 0
    files: Files = DISK

    def read(self, first: int, count: int) -> Vector:
        """`count` values (fewer at the end) from value `first` on; read-only.

        Raises:
            CannotCombineError: the file ends before.
            StoreUnavailable, StoreFatal: it cannot be read.
        """
        count = min(count, self.num_values - first)
        at = self.start + _VALUE_BYTES * first
        data = self.files.pread(self.handle, _VALUE_BYTES * count, at)
        if len(data) != _VALUE_BYTES * count:
            raise CannotCombineError(
                f"a file of this round ends at byte {at + len(data)}, before its time"
            )
        return np.frombuffer(data, "<f4")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How updates become a model, and which model it must fit."""

    manifest: Manifest
    aggregator: Aggregator
    strategy: Strategy
    state: State = field(default_factory=State)


def combine(
    recipe: Recipe,
    base: VectorFile,
    updates: Sequence[tuple[VectorFile, int]],
    write: Callable[[memoryview], object],
) -> None:
    """Write the model after the round: `base` and the (update, weight) pairs on top of it.

    Raises:
        CannotCombineError: the result is not finite or out of range, or a file is too short.
        StoreUnavailable, StoreFatal: something cannot be read or written.
    """
    num_values = recipe.manifest.num_values
    weights = [weight for _, weight in updates]

    def one_chunk(first: int) -> Vector:
        chunks = (update.read(first, CHUNK) for update, _ in updates)
        return step(recipe, base, first, recipe.aggregator.combine(chunks, weights))

    for model_C in in_order(one_chunk, range(0, num_values, CHUNK)):
        write(to_bytes(model_C))


def step(recipe: Recipe, base: VectorFile, first: int, mean_C: Wide) -> Vector:
    """The next model from value `first` on, one mean update further than `base`.

    Raises:
        CannotCombineError: it is not finite or out of range, or the base is too short.
        StoreUnavailable, StoreFatal: the base cannot be read.
    """
    place = slice(first, first + len(mean_C))
    base_C = base.read(first, len(mean_C))
    model_C, _ = recipe.strategy.apply(base_C, mean_C, recipe.state.part(place))
    found = first_outside(model_C, limit=VALUE_LIMIT)
    if found is not None:
        name = recipe.manifest.tensor_at(first + found)
        raise CannotCombineError(
            f"the new model would be out of range in tensor {name!r}: training diverged; "
            "lower the learning rate"
        )
    return model_C


def in_order(work: Callable[[int], Vector], starts: range) -> Iterator[Vector]:
    """`map(work, starts)` on NUM_THREADS threads, with few results waiting at any time."""
    if len(starts) == 1:
        yield work(starts[0])
        return
    with ThreadPoolExecutor(NUM_THREADS, "combine") as threads:
        waiting: deque[Future[Vector]] = deque()
        try:
            for start in starts:
                waiting.append(threads.submit(work, start))
                if len(waiting) > 2 * NUM_THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def unfit(update: VectorFile, manifest: Manifest) -> str | None:
    """Why an arrived update cannot be combined (a value is NaN, Inf or too large); None if it can.

    Streams over the file: memory is one chunk. Run it in a thread.
    """
    for first in range(0, update.num_values, _SCAN_VALUES):
        values_C = update.read(first, _SCAN_VALUES)
        found = first_outside(values_C, limit=VALUE_LIMIT)
        if found is not None:
            value = float(values_C[found])
            return (
                f"tensor {manifest.tensor_at(first + found)!r} holds {value:g}; every value must "
                f"be finite and below {VALUE_LIMIT:g} in magnitude"
            )
    return None
