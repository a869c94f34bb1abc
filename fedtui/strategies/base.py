"""What a strategy is: how local steps are corrected, and how a mean update becomes the next model.

Both halves of an algorithm live in one file. The node's half is `correct`, called on every
gradient; it uses operators only, so the same line serves torch tensors and numpy arrays, and
nobody here needs torch. The coordinator's half is `apply`: elementwise, so it can run chunk by
chunk over a model that is read from one file and written to another. `in_chunks` does that for
arrays.

Shapes: every vector is flat, of the model's D values or of one chunk of them (C). Models are
float32; the mean update and all state are float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from fedtui.learning.params import Vector

Wide = npt.NDArray[np.float64]
CHUNK = 2**16


class Arithmetic(Protocol):
    """What `correct` may do with a tensor or an array."""

    def __add__(self, other: Arithmetic | float, /) -> Arithmetic: ...
    def __sub__(self, other: Arithmetic | float, /) -> Arithmetic: ...
    def __mul__(self, other: Arithmetic | float, /) -> Arithmetic: ...
    def __rmul__(self, other: float, /) -> Arithmetic: ...


class LocalRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of the strategy travels to the nodes: its name, its options, and vectors sent along.

    `extra` names the state vectors that go with the model; FedAvg and FedProx send none.
    """

    name: str
    options: dict[str, float] = {}
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """What the coordinator remembers from round to round: vectors of D values, a count."""

    vectors: dict[str, Wide] = field(default_factory=dict)
    num_rounds: int = 0

    def part(self, place: slice) -> State:
        """The state that belongs to one chunk (views, not copies)."""
        return State({name: v[place] for name, v in self.vectors.items()}, self.num_rounds)


class Strategy(Protocol):
    """One algorithm, both halves."""

    def init(self, num_values: int) -> State:
        """The state before round one, for a model of `num_values` values."""

    def local(self, state: State) -> LocalRule:
        """What nodes need to know in the coming round."""

    def correct(
        self, grad: Arithmetic, param: Arithmetic, anchor: Arithmetic, extra: Arithmetic | None
    ) -> Arithmetic:
        """The gradient to step along; `anchor` is the global model the round began with."""

    def apply(self, model_C: Vector, mean_delta_C: Wide, state: State) -> tuple[Vector, State]:
        """The next model (float32, new array) and state. Elementwise; inputs stay as they are."""


def in_chunks(
    strategy: Strategy, model_D: Vector, mean_delta_D: Wide, state: State, *, chunk: int = CHUNK
) -> tuple[Vector, State]:
    """`strategy.apply` over a whole model, chunk by chunk, with little scratch memory."""
    result_D = np.empty_like(model_D)
    vectors = {name: np.empty_like(v) for name, v in state.vectors.items()}
    num_rounds = state.num_rounds
    for start in range(0, len(model_D), chunk):
        place = slice(start, start + chunk)
        result_D[place], new = strategy.apply(
            model_D[place], mean_delta_D[place], state.part(place)
        )
        for name, values in new.vectors.items():
            vectors[name][place] = values
        num_rounds = new.num_rounds
    return result_D, State(vectors, num_rounds)
