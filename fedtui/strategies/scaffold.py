"""SCAFFOLD: control variates against drift (Karimireddy et al. 2020, arXiv:1910.06378).

Node i keeps c_i, its own mean gradient, and gets c, everybody's, with the model. Each local step
is taken along grad - c_i + c, that is, as if the other nodes' data were here, too. After K steps
from x to y_i (Algorithm 1, option II):

    node          c_i+ = c_i - c + (x - y_i) / (K * learning_rate);  sends y_i - x and c_i+ - c_i
    coordinator   x <- x + server_learning_rate * mean(y_i - x)
                  c <- c + (nodes of this round / population) * mean(c_i+ - c_i)

c_i never leaves its node, but what changes in it does, as long a vector as the update: twice as
much travels as under FedAvg, in both directions. The traps: c_i is a mean of whole gradients, so
momentum, adam and bounds are refused; `population` must count all nodes that ever take part (0:
those of every round); and of a node that is away for long c_i is old.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fedtui.strategies.base import Finished, Strategy, share, stepped, within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedtui.learning.params import Vector
    from fedtui.strategies.base import Arithmetic, Cohort, Local, State, Wide


@dataclass(frozen=True, slots=True)
class Scaffold(Strategy):
    """`server_learning_rate` in (0, 10]; `population`: how many nodes there are."""

    carried: ClassVar[tuple[str, ...]] = ("control",)
    held: ClassVar[tuple[str, ...]] = ("control",)
    wants: ClassVar[frozenset[str]] = frozenset(
        {"sgd", "no momentum", "equal weights", "whole updates", "whole gradients", "population"}
    )

    server_learning_rate: float = 1.0
    population: int = 0

    def __post_init__(self) -> None:
        within(0, self.server_learning_rate, 10, "server_learning_rate")
        if self.population:
            within(1, self.population, 10**6, "population")

    def guide(self, carried: Mapping[str, Vector], held: Mapping[str, Vector]) -> Vector:
        return carried["control"] - held["control"]

    def correct(
        self,
        grad: Arithmetic,
        param: Arithmetic,  # noqa: ARG002 - the controls are all it needs
        anchor: Arithmetic,  # noqa: ARG002
        extra: Arithmetic | None,
    ) -> Arithmetic:
        return grad if extra is None else grad + extra

    def finish(self, local: Local) -> Finished:
        walked = np.float32(local.num_steps * local.training.learning_rate)
        change_D = -local.carried["control"] - local.update_D / walked
        return Finished(
            update_D=local.update_D,
            changes={"control": change_D},
            held={"control": local.held["control"] + change_D},
        )

    def apply(
        self,
        model_C: Vector,
        mean_C: Wide,
        state: State,
        cohort: Cohort,  # noqa: ARG002 - only c depends on how many took part
    ) -> tuple[Vector, State]:
        return stepped(model_C, self.server_learning_rate * mean_C), state

    def carry(self, name: str, vector_C: Vector, mean_C: Wide, cohort: Cohort) -> Vector:  # noqa: ARG002
        return stepped(vector_C, share(cohort, self.population) * mean_C)


build = Scaffold
