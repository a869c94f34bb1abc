"""Updates in memory become the next model, by the code that real coordinators run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fedtui.combining.masked import unmask
from fedtui.combining.visible import CannotCombineError, Recipe, combine
from fedtui.crypto.keystream import CHUNK_WORDS, Words
from fedtui.learning.params import Vector
from fedtui.rounds.machine import Aggregate
from fedtui.rounds.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """The next model; of masked updates also what their sum says, and whose shares were wrong."""

    model_D: Vector
    sums: dict[str, float] | None = None
    liars: tuple[bytes, ...] = ()


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

    def mix(self, effect: Aggregate, base_D: Vector, contents: Sequence[Vector | Words]) -> Mixed:
        """The model after the round, from the contributions' contents in their order.

        Raises:
            CannotCombineError: these updates give no usable model.
        """
        model = _Sheet(self.recipe.manifest.num_values)
        if effect.opener is not None:
            words = [_Masked(content.view(np.uint64)) for content in contents]
            base = Values(base_D)
            done = unmask(self.recipe, self.plan, base, words, effect.opener, model.write)
            return Mixed(model.whole(), done.sums, done.liars)
        updates = [
            (Values(content.view(np.float32)), part.weight)
            for content, part in zip(contents, effect.contributions, strict=True)
        ]
        combine(self.recipe, Values(base_D), updates, model.write)
        return Mixed(model.whole())


class _Sheet:
    """Takes a model as it comes, chunk by chunk."""

    def __init__(self, num_values: int) -> None:
        self._model_D = np.empty(num_values, np.float32)
        self._num_written = 0

    def write(self, data: memoryview) -> None:
        values_C = np.frombuffer(data, "<f4")
        place = slice(self._num_written, self._num_written + len(values_C))
        self._model_D[place] = values_C
        self._num_written = place.stop

    def whole(self) -> Vector:
        if self._num_written != len(self._model_D):
            raise CannotCombineError("the model came out too short")
        return self._model_D
