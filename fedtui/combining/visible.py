"""From updates to the next model, chunk by chunk: nobody ever holds a whole model here.

For each chunk of values: read it of every update, combine, let the strategy step from the base
model, check, write. A rule that goes by distances has them read once before (aggregating.py). Two
threads work on neighbouring chunks (numpy lets go of the interpreter lock), and the chunks are
written in order, so the file's digest is made on the way. Memory is a few chunks, whatever the
model's size; with many updates the chunks are smaller.

Whoever reads and writes (files, memory) lets its own errors through.

Shapes: `_C` is one chunk of a vector of D float32 values.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar

import numpy as np

from fedtui import plugins
from fedtui.aggregators.base import Aggregator
from fedtui.combining import aggregating
from fedtui.combining.aggregating import Prepared
from fedtui.combining.looking import Glance, Look, Looking
from fedtui.errors import FedtuiError
from fedtui.learning.params import Manifest, Vector, first_outside
from fedtui.privacy.noise import Central, NoiseError
from fedtui.rounds import robust, strategic
from fedtui.rounds.plan import Plan
from fedtui.strategies.base import Cohort, State, Strategy, Wide
from fedtui.transforms.base import TransformError
from fedtui.wire.tensors import VALUE_LIMIT, to_bytes

CHUNK = 2**16
NUM_THREADS = 2
_SCAN_VALUES = 2**20
T = TypeVar("T")


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


class Parts(Protocol):
    """What a strategy kept, to read chunk by chunk. Safe in many threads; State is one."""

    def part(self, place: slice) -> State: ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """How updates become a model, and which model it must fit."""

    manifest: Manifest
    aggregator: Aggregator
    strategy: Strategy
    mix: float | None = None  # nearest-neighbour mixing before, with so many bad

    @classmethod
    def of(cls, plan: Plan, manifest: Manifest) -> Self:
        """The recipe of a plan without conflicts. Raises PluginError."""
        return cls(manifest, robust.built(plan), strategic.built(plan), plan.aggregator.mix)

    @property
    def num_values(self) -> int:
        """D, of the model itself: without the vectors that travel with it."""
        return self.manifest.num_values // (1 + len(self.strategy.carried))


def _in_the_open(weight: float, num_values: int) -> None:
    """For means that nobody hides."""


@dataclass(frozen=True, slots=True)
class Start:
    """What round `round` begins with: the model, and what its strategy kept so far.

    `hides` gives, for updates that weigh so much together and means of so many values, the noise
    that is added to their mean before anything else sees it, or None (rounds/hiding.py).
    """

    base: Values
    kept: Parts = field(default_factory=State)
    round: int = 0
    hides: Callable[[float, int], Central | None] = _in_the_open


def _nowhere(state_C: State) -> None:
    """For strategies that keep nothing."""


@dataclass(frozen=True, slots=True)
class Sink:
    """Takes the model and what the strategy keeps from now on, each chunk by chunk, in order."""

    write: Callable[[memoryview], object]
    keep: Callable[[State], object] = _nowhere


@dataclass(frozen=True, slots=True)
class Piece:
    """Some values of the next model, and the kept vectors where it has any."""

    model_C: Vector
    kept: State | None


def combine(
    recipe: Recipe,
    start: Start,
    updates: Sequence[tuple[Values, int]],
    sink: Sink,
    cohort: Cohort | None = None,
    guide: int | None = None,
) -> tuple[Look, ...]:
    """Write the model after the round: `start` and the (update, weight) pairs on top of it.

    `guide` is the place of the update that the rule trusts, if it is guided. Returns what each
    update looked like beside the others.

    Raises:
        CannotCombineError: the rule cannot do with so many updates, the result is not finite or
            out of range, or a vector is too short.
    """
    num_values = recipe.manifest.num_values
    about = cohort or Cohort(len(updates))
    rule = type(recipe.aggregator).__module__.rpartition(".")[2]
    if why := robust.misfit(recipe.aggregator, rule, recipe.mix, len(updates)):
        raise CannotCombineError(f"[aggregator] {why}: too few updates are left of this round")
    size, looking = aggregating.chunk_size(len(updates)), Looking(len(updates), num_values)

    noise = start.hides(sum(weight for _, weight in updates), num_values)

    def one_chunk(first: int) -> tuple[list[Piece], Glance]:
        chunks = [update.read(first, size) for update, _ in updates]
        mean_C = _combined(prepared, chunks)
        hidden_C = mean_C if noise is None else noise.hide(mean_C, first)
        return step(recipe, start, first, hidden_C, about), looking.glance(first, chunks)

    try:
        prepared = _prepared(recipe, updates, guide)
        for pieces, seen in in_order(one_chunk, range(0, num_values, size)):
            put(sink, pieces)
            looking.add(seen)
    except (TransformError, NoiseError) as error:
        raise CannotCombineError(str(error)) from error
    return looking.looks()


def _prepared(
    recipe: Recipe, updates: Sequence[tuple[Values, int]], guide: int | None
) -> Prepared:
    num_values, rule, mix = recipe.manifest.num_values, recipe.aggregator, recipe.mix
    try:
        return aggregating.prepare(rule, mix, updates, num_values, in_order, guide)
    except (CannotCombineError, FedtuiError, OSError):
        raise
    except Exception as error:  # a rule may be its operator's own
        raise CannotCombineError(plugins.fault("the aggregator", error)) from error


def _combined(prepared: Prepared, chunks: Sequence[Vector]) -> Wide:
    try:
        combined_C: object = prepared.combine(chunks)
    except Exception as error:  # a rule may be its operator's own
        raise CannotCombineError(plugins.fault("the aggregator", error)) from error
    fits = isinstance(combined_C, np.ndarray) and combined_C.dtype == np.float64
    if not fits or combined_C.shape != chunks[0].shape:  # type: ignore[attr-defined]  # an array
        raise CannotCombineError(
            f"the aggregator made something else of {len(chunks[0])} values of each update than "
            "as many float64 values"
        )
    return combined_C  # type: ignore[return-value]


def put(sink: Sink, pieces: Sequence[Piece]) -> None:
    """Write what was made."""
    for piece in pieces:
        sink.write(to_bytes(piece.model_C))
        if piece.kept is not None:
            sink.keep(piece.kept)


def step(recipe: Recipe, start: Start, first: int, mean_C: Wide, about: Cohort) -> list[Piece]:
    """The next model from value `first` on, one mean update further; a piece for each section.

    Raises:
        CannotCombineError: it is not finite or out of range, or the base is too short.
    """
    pieces, at = [], 0
    while at < len(mean_C):
        section, inside = divmod(first + at, recipe.num_values)
        num = min(len(mean_C) - at, recipe.num_values - inside)
        base_C = start.base.read(first + at, num)
        here_C = mean_C[at : at + num]
        kept = None
        before = start.kept.part(slice(inside, inside + num)) if not section else State()
        try:
            if section:
                name = recipe.strategy.carried[section - 1]
                model_C = recipe.strategy.carry(name, base_C, here_C, about)
            else:
                made = recipe.strategy.apply(base_C, here_C, before, about)
                model_C, kept = _pair(made)
        except CannotCombineError:
            raise
        except Exception as error:  # a strategy may be its operator's own
            raise CannotCombineError(plugins.fault("the strategy", error)) from error
        _check_kind(recipe, model_C, kept, num)
        _check(recipe, model_C, first + at)
        pieces.append(Piece(model_C, kept if recipe.strategy.kept else None))
        at += num
    return pieces


def _pair(made: object) -> tuple[Vector, State | None]:
    """What `apply` of a strategy returned, taken apart."""
    if not isinstance(made, tuple) or len(made) != 2:
        raise CannotCombineError(
            f"the strategy's `apply` returned a {type(made).__name__}: it returns two things, the "
            "next model and a State, such as the `state` that it was given"
        )
    return made


def _check_kind(recipe: Recipe, model_C: object, kept: object, num: int) -> None:
    """Whether a strategy's `apply` or `carry` gave what it must, of `num` values."""
    fits = isinstance(model_C, np.ndarray) and model_C.dtype == np.float32
    if not fits or model_C.shape != (num,):  # type: ignore[attr-defined]  # an array
        raise CannotCombineError(
            f"the strategy made something else of {num} values of the model than {num} float32 "
            "values: `apply` and `carry` return what `stepped` of fedtui.strategies.base does"
        )
    names = recipe.strategy.kept if kept is not None else ()
    vectors = kept.vectors if isinstance(kept, State) else {}
    if wrong := [name for name in names if len(vectors.get(name, ())) != num]:
        raise CannotCombineError(
            f"the strategy returned no {wrong[0]!r} of {num} values, which it keeps: its `apply` "
            "returns the next model and a State with all that `kept` names"
        )


def _check(recipe: Recipe, model_C: Vector, first: int) -> None:
    found = first_outside(model_C, limit=VALUE_LIMIT)
    if found is not None:
        name = recipe.manifest.tensor_at(first + found)
        raise CannotCombineError(
            f"the new model would be out of range in tensor {name!r}: training diverged; "
            "lower the learning rate"
        )


def cohort_of(recipe: Recipe, parts: Sequence[tuple[Mapping[str, float], int]]) -> Cohort:
    """Of visible updates: what each says for its strategy, with its weight.

    Raises:
        CannotCombineError: something is missing.
    """
    total = math.fsum(weight for _, weight in parts)
    names = recipe.strategy.scalars
    if any(name not in said for said, _ in parts for name in names):
        raise CannotCombineError(f"an update came without its {' and '.join(names)}")
    return Cohort(
        len(parts),
        {n: math.fsum(weight * said[n] for said, weight in parts) / total for n in names},
    )


def in_order(work: Callable[[int], T], starts: range) -> Iterator[T]:
    """`map(work, starts)` on NUM_THREADS threads, with few results waiting at any time."""
    if len(starts) == 1:
        yield work(starts[0])
        return
    with ThreadPoolExecutor(NUM_THREADS, "combine") as threads:
        waiting: deque[Future[T]] = deque()
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
        try:
            values_C = update.read(first, _SCAN_VALUES)
        except TransformError as error:
            return str(error)
        found = first_outside(values_C, limit=VALUE_LIMIT)
        if found is not None:
            value = float(values_C[found])
            return (
                f"tensor {manifest.tensor_at(first + found)!r} holds {value:g}; every value must "
                f"be finite and below {VALUE_LIMIT:g} in magnitude"
            )
    return None
