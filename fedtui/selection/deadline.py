"""Deadline-aware selection: invite more than are wanted, and close when enough have answered.

Bonawitz et al., "Towards Federated Learning at Scale: System Design", MLSys 2019, section 9: 130 %
of the wanted nodes are invited, and whoever comes after the round has enough is let go. So the
slowest of those invited never hold a round up. Nodes are picked uniformly. Trap: who is always the
slowest never counts, and if slow machines hold other data than fast ones the model does not learn
from it; look at who counted, or invite by `stratified`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.selection.base import Candidate, Selection, some

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


@dataclass(frozen=True, slots=True)
class Deadline(Selection):
    """`invite` in [1, 10]: nodes that are invited for each that is wanted."""

    invite: float = 1.3

    def __post_init__(self) -> None:
        if not 1 <= self.invite <= 10:
            raise ValueError(f"invite is {self.invite}, expected 1 <= invite <= 10")

    @property
    def over(self) -> float:
        return self.invite

    def pick(
        self,
        present: Sequence[Candidate],
        size: int,
        rng: np.random.Generator,
        number: int,  # noqa: ARG002 - every round is like the others
    ) -> frozenset[bytes]:
        return frozenset(some([one.node for one in present], size, rng))


build = Deadline
