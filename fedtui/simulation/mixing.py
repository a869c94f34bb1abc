"""Updates in memory become the next model, by the code that real coordinators run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fedtui.combining.ageing import aged
from fedtui.combining.changing import Changing, Rounding
from fedtui.combining.grouped import Covered, uncover
from fedtui.combining.restoring import restored
from fedtui.combining.visible import (
    CannotCombineError,
    Recipe,
    Sink,
    Start,
    cohort_of,
    combine,
)
from fedtui.crypto.keystream import CHUNK_WORDS, Words
from fedtui.learning.params import Vector
from fedtui.rounds import compression, guiding, hiding
from fedtui.rounds.figures import Figure, figures_of
from fedtui.rounds.machine import Aggregate
from fedtui.rounds.plan import Plan
from fedtui.rounds.shrinking import Spot
from fedtui.rounds.suspicion import GroupSeen
from fedtui.simulation.draws import noise_seed
from fedtui.strategies.base import State, first_state


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """The next model, and what the strategy keeps from now on.

    Of masked updates also what their sum says, whose shares were wrong and what each group looked
    like; of visible ones what each looked like. `change_bytes` is the size of the change from the
    base, 0 if the plan wants none.
    """

    model_D: Vector
    kept: State
    sums: dict[str, float] | None = None
    liars: tuple[bytes, ...] = ()
    change_bytes: int = 0
    figures: tuple[Figure, ...] = ()
    groups: tuple[GroupSeen, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """A vector in memory, as combining reads it."""

    vector_D: Vector

    @property
    def num_values(self) -> int:
        return len(self.vector_D)

    def read(self, first: int, count: int) -> Vector:
        return self.vector_D[first : first + count]


@dataclass(frozen=True, slots=True, eq=False)
class _Masked:
    words: Words

    def read(self, index: int) -> Words:
        return self.words[CHUNK_WORDS * index : CHUNK_WORDS * (index + 1)]


@dataclass(frozen=True, slots=True)
class Mixer:
    """How updates become a model under one plan."""

    recipe: Recipe
    plan: Plan

    def first_state(self) -> State:
        """What the strategy keeps before round one."""
        return first_state(self.recipe.strategy, self.recipe.num_values)

    def mix(self, effect: Aggregate, start: Start, contents: Sequence[Vector | Words]) -> Mixed:
        """The model after the round, from the contributions' contents in their order.

        Raises:
            CannotCombineError: these updates give no usable model.
        """
        recipe = self.recipe
        seed = noise_seed(self.plan.seed, effect.round, effect.attempt)
        hides = partial(hiding.at_coordinator, self.plan, seed=seed)
        start = replace(start, round=effect.round, hides=hides)
        model = _Sheet(recipe.manifest.num_values)
        kept = {name: _Sheet(recipe.num_values, np.float64) for name in recipe.strategy.kept}

        def keep(state_C: State) -> None:
            for name, vector_C in state_C.vectors.items():
                kept[name].put(vector_C)

        def put(data: memoryview) -> None:
            model.put(np.frombuffer(data, "<f4"))

        changing = self._changing(effect, start, put)
        sink = Sink(put if changing is None else changing.write, keep)
        sums: dict[str, float] | None = None
        liars: tuple[bytes, ...] = ()
        figures: tuple[Figure, ...] = ()
        groups: tuple[GroupSeen, ...] = ()
        if effect.opener is not None:
            words = {
                part.node: _Masked(content.view(np.uint64))
                for part, content in zip(effect.contributions, contents, strict=True)
            }
            covered = Covered(words, effect.opener)
            done = uncover(recipe, self.plan, start, covered, sink, _Desk())
            sums, liars, groups = done.sums, done.liars, done.groups
        else:
            parts = effect.contributions
            num_values = recipe.manifest.num_values
            chain = compression.chain(self.plan, num_values)
            spot = Spot(self.plan.seed, effect.round)
            values = (Values(content.view(np.float32)) for content in contents)
            whole = (restored(one, chain, spot, num_values) for one in values)
            updates = [
                (aged(one, recipe.strategy, part.scalars), part.weight)
                for one, part in zip(whole, parts, strict=True)
            ]
            about = cohort_of(recipe, [(part.scalars, part.weight) for part in parts])
            guide = guiding.place(self.plan, [part.node for part in parts])
            looks = combine(recipe, start, updates, sink, about, guide)
            figures = figures_of([part.node for part in parts], looks)
        if changing is not None:
            changing.finish()
        state = State({name: sheet.whole() for name, sheet in kept.items()})
        num_bytes = changing.num_bytes if changing is not None else 0
        return Mixed(model.whole(), state, sums, liars, num_bytes, figures, groups)

    def _changing(
        self, effect: Aggregate, start: Start, put: Callable[[memoryview], object]
    ) -> Changing | None:
        """What rounds the model as the plan wants it; the change itself is only counted."""
        bits = self.plan.traffic.model_bits
        if bits is None:
            return None
        return Changing(
            self.recipe.manifest,
            start.base,
            effect.base.digest,
            rounding=Rounding(bits, self.plan.seed, effect.round),
            write_model=put,
            write_change=len,
        )


class _Sheet:
    """Takes a vector as it comes, chunk by chunk."""

    def __init__(self, num_values: int, dtype: DTypeLike = np.float32) -> None:
        self._vector = np.empty(num_values, dtype)
        self._num_written = 0

    def put(self, values_C: NDArray[Any]) -> None:
        place = slice(self._num_written, self._num_written + len(values_C))
        self._vector[place] = values_C
        self._num_written = place.stop

    def write(self, data: memoryview) -> None:
        self.put(np.frombuffer(data, "<f4"))

    def values(self) -> Values:
        return Values(self.whole())

    def whole(self) -> NDArray[Any]:
        if self._num_written != len(self._vector):
            raise CannotCombineError("the model came out too short")
        return self._vector


class _Desk:
    """Where the means of groups are while they are combined."""

    def sheet(self, num_values: int) -> _Sheet:
        return _Sheet(num_values)
