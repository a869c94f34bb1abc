"""From updates to the next model, chunk by chunk: nobody ever holds a whole model here.

For each chunk of CHUNK values: read it of every update, combine, let the strategy step from the
base model, check, write. Two threads work on neighbouring chunks (numpy lets go of the interpreter
lock), and the chunks are written in order, so the file's digest is made on the way. Memory is a
few chunks, whatever the model's size and the number of updates.

Whoever reads and writes (files, memory) lets its own errors through.

Shapes: `_C` is one chunk of a vector of D float32 values.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from fedtui.aggregators.base import Aggregator
from fedtui.learning.params import Manifest, Vector, first_outside
from fedtui.strategies.base import State, Strategy, Wide
from fedtui.wire.tensors import VALUE_LIMIT, to_bytes

CHUNK = 2**16
NUM_THREADS = 2
_SCAN_VALUES = 2**20


class CannotCombineError(Exception):
    """The updates at hand give no usable model; the text says why, for the round's record."""


class Values(Protocol):
    """float32 values to read, of a model or an update. Safe in many threads."""

    @property
    def num_values(self) -> int: ...

    def read(self, first: int, count: int) -> Vector:
        """`count` values (fewer at the end) from value `first` on; read-only.

        Raises:
            CannotCombineError: there are fewer than there should be.
        """


@dataclass(frozen=True, slots=True)
class Recipe:
    """How updates become a model, and which model it must fit."""

    manifest: Manifest
    aggregator: Aggregator
    strategy: Strategy
    state: State = field(default_factory=State)


def combine(
    recipe: Recipe,
    base: Values,
    updates: Sequence[tuple[Values, int]],
    write: Callable[[memoryview], object],
) -> None:
    """Write the model after the round: `base` and the (update, weight) pairs on top of it.

    Raises:
        CannotCombineError: the result is not finite or out of range, or a vector is too short.
    """
    num_values = recipe.manifest.num_values
    weights = [weight for _, weight in updates]

    def one_chunk(first: int) -> Vector:
        chunks = (update.read(first, CHUNK) for update, _ in updates)
        return step(recipe, base, first, recipe.aggregator.combine(chunks, weights))

    for model_C in in_order(one_chunk, range(0, num_values, CHUNK)):
        write(to_bytes(model_C))


def step(recipe: Recipe, base: Values, first: int, mean_C: Wide) -> Vector:
    """The next model from value `first` on, one mean update further than `base`.

    Raises:
        CannotCombineError: it is not finite or out of range, or the base is too short.
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


def unfit(update: Values, manifest: Manifest) -> str | None:
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
