"""Utility selection (Oort): whose data teach most, and who is fast enough, with some exploration.

Lai et al., "Oort: Efficient Federated Learning via Guided Participant Selection", OSDI 2021,
algorithm 1. A node's utility is its examples times its loss, as it said in the newest round it
counted in, plus a bonus that grows with the rounds since (its figure is old). Who takes longer
than the preferred time T is worth (T / t) ** `penalty` of that. Utilities are cut at their 95 %
quantile, so nobody is picked for a huge loss alone; nodes are drawn by utility among those above
`cutoff` of the last one that would fit. A part of each cohort is of nodes never picked yet: 0.9 in
the first round, times 0.98 with each, at least `explore`.

Differences to the paper: the root of the mean squared loss needs each example's loss, which nodes
do not report, so the mean takes its place; T is the `preferred` quantile of the known times rather
than a pacer with a memory; nobody is struck off after many rounds. Trap: a node is believed, so
one that claims a great loss is picked all the time. Losses are known without masks only.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fedtui.selection.base import Candidate, Selection, some

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST, _DECAY = 0.9, 0.98  # exploration, from the paper's section 7.1
_QUANTILE = 0.95
_SLOWEST = 2.0  # who missed its round is taken to need so many times the slowest known time
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Utility(Selection):
    """`explore`, `cutoff`, `preferred` in [0, 1]; `penalty` in [0, 10], 0: speed is no matter."""

    explore: float = 0.2
    penalty: float = 2.0
    preferred: float = 0.5
    cutoff: float = 0.95

    def __post_init__(self) -> None:
        for name in ("explore", "preferred", "cutoff"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}, expected 0 <= {name} <= 1")
        if not 0 <= self.penalty <= 10:
            raise ValueError(f"penalty is {self.penalty}, expected 0 <= penalty <= 10")

    @property
    def reads_losses(self) -> bool:
        return True

    def pick(
        self, present: Sequence[Candidate], size: int, rng: np.random.Generator, number: int
    ) -> frozenset[bytes]:
        known = [one for one in present if one.num_picked]
        fresh = [one.node for one in present if not one.num_picked]
        size = min(size, len(present))
        share = max(self.explore, _FIRST * _DECAY ** (number - 1))
        num_fresh = min(len(fresh), max(round(share * size), size - len(known)))
        best = self._best(known, size - num_fresh, rng, number)
        return frozenset([*some(fresh, num_fresh, rng), *best])

    def _best(
        self, known: list[Candidate], num: int, rng: np.random.Generator, number: int
    ) -> list[bytes]:
        """`num` of those known, drawn by utility among the best."""
        if num >= len(known):
            return [one.node for one in known]
        if not num:
            return []
        worth_N = self._worth(known, number)
        least = self.cutoff * np.partition(worth_N, -num)[-num]
        among = np.flatnonzero(worth_N >= least)
        chance_N = worth_N[among] / worth_N[among].sum()
        return [known[int(at)].node for at in rng.choice(among, num, replace=False, p=chance_N)]

    def _worth(self, known: list[Candidate], number: int) -> Floats:
        """What each is worth in this round, above 0."""
        told_N = np.array([_told(one) for one in known])
        least = np.nanmin(told_N) if not np.isnan(told_N).all() else 1.0
        worth_N = np.where(np.isnan(told_N), least, told_N)  # who told nothing counts least
        worth_N = np.minimum(worth_N, np.quantile(worth_N, _QUANTILE))
        worth_N /= worth_N.max()
        age_N = np.array([sqrt(0.1 * log(max(number, 2)) / max(o.last_round, 1)) for o in known])
        total_N: Floats = (worth_N + age_N) * self._speed(known)
        return total_N

    def _speed(self, known: list[Candidate]) -> Floats:
        """By how much each is worth less for being slow, up to 1."""
        times = [one.seconds for one in known if one.seconds is not None]
        if not times:
            return np.ones(len(known))
        preferred, slowest = float(np.quantile(times, self.preferred)), _SLOWEST * max(times)
        took_N = np.array([slowest if o.missed else o.seconds or preferred for o in known])
        speed_N: Floats = np.minimum(1.0, preferred / np.maximum(took_N, 1e-9)) ** self.penalty
        return np.maximum(speed_N, 1e-6)


def _told(one: Candidate) -> float:
    """Examples times loss, within bounds that hostile figures do not leave; NaN if untold."""
    if one.num_examples is None or one.loss is None:
        return float("nan")
    return min(max(one.num_examples * one.loss, 1e-12), 1e30)


build = Utility
