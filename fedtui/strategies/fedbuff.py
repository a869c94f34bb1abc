"""FedBuff: buffered asynchronous aggregation (Nguyen et al. 2022, arXiv:2106.06639).

    w <- w + server_learning_rate * 1/K * sum_i update_i / (1 + s_i) ** exponent

over the first K updates that are ready, whatever round their nodes began in: s_i is how many
rounds ago that was. K is `[selection] count`. With weights it is their weighted mean; a late
update is shortened, its weight is not. Nodes train as under FedAvg, and who is not among the first
goes on training and is among those of a later round (rounds/lateness.py).

The trap: K small and nodes many means that most updates are stale, and old steps are taken on a
model that moved on; then lower the server's rate, or raise K. Fast nodes count more often than
slow ones, so what only slow nodes hold is learned less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fedtui.strategies.base import State, Strategy, stepped, within

if TYPE_CHECKING:
    from fedtui.learning.params import Vector
    from fedtui.strategies.base import Cohort, Wide


@dataclass(frozen=True, slots=True)
class FedBuff(Strategy):
    """`server_learning_rate` in (0, 10]; `exponent` in (0, 10] of the discount for staleness."""

    wants: ClassVar[frozenset[str]] = frozenset({"late updates"})

    server_learning_rate: float = 1.0
    exponent: float = 0.5

    def __post_init__(self) -> None:
        within(0, self.server_learning_rate, 10, "server_learning_rate")
        within(0, self.exponent, 10, "exponent")

    def fresh(self, staleness: int) -> float:
        return float((1 + staleness) ** -self.exponent)

    def apply(
        self,
        model_C: Vector,
        mean_C: Wide,
        state: State,
        cohort: Cohort,  # noqa: ARG002 - one mean is all it looks at
    ) -> tuple[Vector, State]:
        return stepped(model_C, self.server_learning_rate * mean_C), state


build = FedBuff
