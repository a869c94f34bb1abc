"""What nodes have spent under [dp] by the rounds that are over: the one who spent most.

The coordinator's side, from the rounds that it committed. A node's own ledger knows more: what it
sent in attempts that came to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui.privacy.spending import Release
from fedtui.rounds import promised

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fedtui.rounds.history import FinishedRound
    from fedtui.rounds.plan import Plan


class Spent:
    """Grows by a round at a time; `rounds` is the newest that is in it. Nothing without [dp].

    A masked round whose number is missing failed when its sum was perhaps open already: it counts
    for everybody, at what is guaranteed.
    """

    def __init__(self, plan: Plan, rounds: Iterable[FinishedRound] = (), burnt: int = 0) -> None:
        """Begin with rounds in order; `burnt` is the newest number that was lost so, or 0."""
        self.rounds = 0
        self._plan = plan
        self._usual = promised.guaranteed(plan)
        self._counts: dict[bytes, int] = {}
        self._precision: dict[bytes, float] = {}  # sum of 1 / z**2 over realised rounds
        self._finished = 0
        self._burnt = burnt
        for each in rounds:
            self.add(each)

    def add(self, finished: FinishedRound) -> None:
        """A round was committed."""
        if not finished.round or self._plan.dp is None:
            return
        self.rounds = finished.round
        self._finished += 1
        noise = promised.realised(
            self._plan, invited=len(finished.cohort), survivors=len(finished.survivors)
        )
        for node in finished.survivors:
            self._counts[node] = self._counts.get(node, 0) + 1
            self._precision[node] = self._precision.get(node, 0.0) + noise**-2

    def most(self) -> tuple[list[Release], list[Release]]:
        """The releases of the node with most of them: guaranteed, and realised."""
        lost = max(self.rounds, self._burnt) - self._finished if self._plan.masked else 0
        both = [Release(self._usual, lost)] if lost and self._usual else []
        if not self._counts:
            return both, list(both)
        sure = Release(self._usual, max(self._counts.values()))
        real = Release(max(self._precision.values()) ** -0.5)
        return [*both, sure], [*both, real]
