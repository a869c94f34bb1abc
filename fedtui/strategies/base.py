"""What a strategy is: how nodes train, and how their mean update becomes the next model.

Both halves of an algorithm live in one file that overrides what differs from plain averaging:

- on a node, `begin` says what training begins from, `correct` is called on every gradient, and
  `finish` once after local training;
- at the coordinator, `apply` steps the model, and `carry` every vector that travels with it.

A strategy names the vectors that it needs, each of the model's D values and zero at first (but
for `initial` and `held_at_first`). Who keeps and moves them is settled by that name, never by the
strategy:

    kept     the coordinator keeps them from round to round, beside the model; nothing travels
    carried  they travel to the nodes with the model, and their changes back with the updates
    held     every node keeps its own; nothing travels
    scalars  one number of each node; the coordinator sees their mean, weighted as updates are

A strategy that `trains_own` has each node train a second time, its own model, for as many steps:
from what the node uses, along `correct_own`. Nothing of it leaves.

A node may use another model than the global one: `used` makes it of what the node received and
holds. That is what it measures on its own examples, for its operator and for the federation's
score, and what answers its operator.

Whatever a node sends is averaged, visible or masked, so a strategy sees means only. `correct` uses
operators only, so the same line serves torch tensors and numpy arrays. `apply` and `carry` are
elementwise: they run chunk by chunk over a model read from one file and written to another.

Shapes: `_D` is a whole vector, `_C` one chunk of it. Models, updates and what travels or is held
are float32; mean updates and kept vectors are float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fedtui.learning.params import Manifest, Params, Vector
    from fedtui.learning.training import TrainingSpec

Wide: TypeAlias = npt.NDArray[np.float64]
CHUNK = 2**16


class Arithmetic(Protocol):
    """What `correct` may do with a tensor or an array."""

    def __add__(self, other: Arithmetic | float, /) -> Arithmetic: ...
    def __sub__(self, other: Arithmetic | float, /) -> Arithmetic: ...
    def __mul__(self, other: Arithmetic | float, /) -> Arithmetic: ...
    def __rmul__(self, other: float, /) -> Arithmetic: ...


Correct: TypeAlias = (
    "Callable[[Arithmetic, Arithmetic, Arithmetic, Arithmetic | None], Arithmetic]"
)


@dataclass(frozen=True, slots=True)
class State:
    """The kept vectors, by name: whole ones, or one chunk of each."""

    vectors: dict[str, Wide] = field(default_factory=dict)

    def part(self, place: slice) -> State:
        """The state that belongs to one chunk (views, not copies)."""
        return State({name: v[place] for name, v in self.vectors.items()})


@dataclass(frozen=True, slots=True)
class Cohort:
    """Whose updates the mean is of: how many nodes, and the weighted means of their scalars."""

    num_nodes: int = 1
    means: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Local:
    """One node's training in one round. `update_D` is the local model minus what it `began` from.

    `held` is what the node held before, `own_D` what its own model became, if it trains one.
    `loss` is the mean loss of the global model over the examples that were trained on; NaN unless
    the strategy asks for it by `needs_loss`.
    """

    update_D: Vector
    began: Params
    num_steps: int
    training: TrainingSpec
    carried: Mapping[str, Vector] = field(default_factory=dict)
    held: Mapping[str, Vector] = field(default_factory=dict)
    own_D: Vector | None = None
    loss: float = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finished:
    """What a node makes of it: what it sends, and what it holds from now on.

    `changes` has a vector for each carried one, `held` for each held one, `scalars` a positive
    number for each scalar; its product with the update's weight stays below 2**38 under masks.
    """

    update_D: Vector
    changes: Mapping[str, Vector] = field(default_factory=dict)
    held: Mapping[str, Vector] = field(default_factory=dict)
    scalars: Mapping[str, float] = field(default_factory=dict)


class Strategy:
    """Plain averaging; a strategy is a frozen dataclass of its options that overrides parts of it.

    The four tuples of names are explained above. `wants` says what of a plan it takes for granted,
    in words of rounds/strategic.py; a plan that does not give it is refused.
    """

    __slots__ = ()

    kept: ClassVar[tuple[str, ...]] = ()
    carried: ClassVar[tuple[str, ...]] = ()
    held: ClassVar[tuple[str, ...]] = ()
    scalars: ClassVar[tuple[str, ...]] = ()
    needs_loss: ClassVar[bool] = False
    trains_own: ClassVar[bool] = False
    wants: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        """Refuse a name where a tuple of names belongs, as in kept = ("speed")."""
        for what in ("kept", "carried", "held", "scalars"):
            if isinstance(found := getattr(cls, what), str):
                raise TypeError(f'{what} is "{found}", expected a tuple: write ("{found}",)')

    def initial(self, name: str) -> float:  # noqa: ARG002
        """Every value of the kept vector `name` before round one."""
        return 0.0

    def held_at_first(self, name: str, model: Params) -> Vector:  # noqa: ARG002
        """The held vector `name` of a node that never trained; `model` is the global one."""
        return np.zeros_like(model.vector_D)

    def misfit(self, manifest: Manifest) -> str:  # noqa: ARG002
        """Why the strategy cannot be used with such a model, and what to do; empty if it can."""
        return ""

    def staying(self, manifest: Manifest) -> tuple[str, ...]:  # noqa: ARG002
        """The names of the tensors that nodes keep: what they send is exact zeros there."""
        return ()

    def begin(
        self,
        model: Params,
        held: Mapping[str, Vector],  # noqa: ARG002
    ) -> Params:
        """What local training begins from; `model` is the global one, which stays as it is."""
        return model

    def used(self, model: Params, held: Mapping[str, Vector]) -> Params:
        """The model as the node uses it that received `model`. Must not change its input."""
        return self.begin(model, held)

    def guide(
        self,
        carried: Mapping[str, Vector],  # noqa: ARG002 - a part of the protocol
        held: Mapping[str, Vector],  # noqa: ARG002
    ) -> Vector | None:
        """The vector that `correct` gets as `extra` in the coming round; made once."""
        return None

    def correct(
        self,
        grad: Arithmetic,
        param: Arithmetic,  # noqa: ARG002
        anchor: Arithmetic,  # noqa: ARG002
        extra: Arithmetic | None,  # noqa: ARG002
    ) -> Arithmetic:
        """The gradient to step along; `anchor` is the model that training began from."""
        return grad

    def correct_own(
        self,
        grad: Arithmetic,
        param: Arithmetic,  # noqa: ARG002
        anchor: Arithmetic,  # noqa: ARG002
        extra: Arithmetic | None,  # noqa: ARG002
    ) -> Arithmetic:
        """As `correct`, for the node's own model; `extra` is the global one as it was received."""
        return grad

    def finish(self, local: Local) -> Finished:
        """What the node sends and holds after its training. Must not change its input."""
        return Finished(update_D=local.update_D)

    def apply(
        self,
        model_C: Vector,
        mean_C: Wide,
        state: State,
        cohort: Cohort,  # noqa: ARG002
    ) -> tuple[Vector, State]:
        """The next model (float32, new array) and state. Elementwise; inputs stay as they are."""
        return stepped(model_C, mean_C), state

    def carry(
        self,
        name: str,  # noqa: ARG002
        vector_C: Vector,
        mean_C: Wide,
        cohort: Cohort,  # noqa: ARG002
    ) -> Vector:
        """The next carried vector of this name, by the mean of its changes. As `apply`."""
        return stepped(vector_C, mean_C)


def stepped(vector_C: Vector, by_C: Wide) -> Vector:
    """The sum as float32, added in float64."""
    return (vector_C + by_C).astype(np.float32)


def share(cohort: Cohort, population: int) -> float:
    """Which part of all nodes took part; all of them if the population is not known (0)."""
    return min(1.0, cohort.num_nodes / population) if population else 1.0


def first_state(strategy: Strategy, num_values: int) -> State:
    """The kept vectors before round one."""
    return State({name: np.full(num_values, strategy.initial(name)) for name in strategy.kept})


def within(low: float, value: object, high: float, name: str) -> None:
    """Refuse an option that is no number in [low, high]; open at 0 if `low` is 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}, expected a number")
    if not (low < value if low == 0 else low <= value) or not value <= high:
        sign = "<" if low == 0 else "<="
        raise ValueError(f"{name} is {value}, expected {low:g} {sign} {name} <= {high:g}")


def in_chunks(
    strategy: Strategy,
    model_D: Vector,
    mean_D: Wide,
    state: State,
    cohort: Cohort = Cohort(),
    *,
    chunk: int = CHUNK,
) -> tuple[Vector, State]:
    """`strategy.apply` over a whole model, chunk by chunk, with little scratch memory."""
    result_D = np.empty_like(model_D)
    vectors = {name: np.empty_like(v) for name, v in state.vectors.items()}
    for start in range(0, len(model_D), chunk):
        place = slice(start, start + chunk)
        part = state.part(place)
        result_D[place], new = strategy.apply(model_D[place], mean_D[place], part, cohort)
        for name, values in new.vectors.items():
            vectors[name][place] = values
    return result_D, State(vectors)
