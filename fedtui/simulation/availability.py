"""When each virtual node is there: a function of seed, node and time, in whatever order one asks.

    always     never away
    sessions   an alternating renewal process, stationary from the start: a node begins online with
               probability online_s / (online_s + offline_s), and every stay, online or offline,
               is exponential with its mean. Without a memory, so no stay is cut short at 0.
    daily      online for `share` of each day, beginning at the node's own hour (uniform)

Sessions are walked in blocks of stays, each block drawn from a generator of its own; of each node
only the block that was asked for last is kept.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fedtui.simulation.draws import Purpose, generator

if TYPE_CHECKING:
    from fedtui.simulation.population import Population

BLOCK = 32
"""Stays in a block; even, so that every block of a node begins in the same state."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Some stays of one node: the first begins at `start`, each ends at its place in `ends`."""

    number: int
    start: float
    ends: npt.NDArray[np.float64]


class Availability:
    """All nodes of a population; `seed` as `Population.seed_or` says. Times in seconds from 0.

    A node is in its new state from the very time on that `next_change` tells.
    """

    def __init__(self, population: "Population", seed: int) -> None:
        self._section = population.availability
        self._seed = seed
        self._blocks: dict[int, _Block] = {}
        section, num = self._section, population.nodes
        self._begins_on: list[bool] = []
        self._starts_s: list[float] = []
        if section.kind == "sessions":
            draws = generator(seed, Purpose.FIRST_STATE).random(num)
            self._begins_on = (draws < section.online_share).tolist()
        elif section.kind == "daily":
            draws = generator(seed, Purpose.PHASE_OF_DAY).random(num)
            self._starts_s = ((draws - 1) * section.day_s).tolist()

    def is_on(self, index: int, now: float) -> bool:
        """Whether the node with this index is there at `now` (0 or later)."""
        match self._section.kind:
            case "always":
                return True
            case "sessions":
                block = self._block(index, now)
                num_past = int(np.searchsorted(block.ends, now, side="right"))
                return self._begins_on[index] == (num_past % 2 == 0)
            case "daily":
                return self._boundary(index, now) % 2 == 0

    def next_change(self, index: int, now: float) -> float:
        """The first time after `now` at which the node comes or goes; `math.inf` if never."""
        match self._section.kind:
            case "always":
                return math.inf
            case "sessions":
                block = self._block(index, now)
                return float(block.ends[np.searchsorted(block.ends, now, side="right")])
            case "daily":
                return self._boundary_at(index, self._boundary(index, now) + 1)

    # ---- sessions -----------------------------------------------------------------------------

    def _block(self, index: int, now: float) -> _Block:
        """The block in which `now` lies: after its start, before its last end."""
        block = self._blocks.get(index)
        if block is None or now < block.start:
            block = self._drawn(index, 0, 0.0)
        while now >= block.ends[-1]:
            block = self._drawn(index, block.number + 1, float(block.ends[-1]))
        self._blocks[index] = block
        return block

    def _drawn(self, index: int, number: int, start: float) -> _Block:
        stays = generator(self._seed, Purpose.SESSION, index, number).standard_exponential(BLOCK)
        online, offline = self._section.online_s, self._section.offline_s
        first, second = (online, offline) if self._begins_on[index] else (offline, online)
        stays[0::2] *= first
        stays[1::2] *= second
        return _Block(number, start, start + np.cumsum(stays))

    # ---- days ---------------------------------------------------------------------------------

    def _boundary(self, index: int, now: float) -> int:
        """The number of the node's newest coming (even) or going (odd) at or before `now`."""
        day = math.floor((now - self._starts_s[index]) / self._section.day_s)
        number = 2 * day + 2  # at most one too far, whatever the division rounded
        while self._boundary_at(index, number) > now:
            number -= 1
        return number

    def _boundary_at(self, index: int, number: int) -> float:
        day, is_going = divmod(number, 2)
        online_s = self._section.share * self._section.day_s * is_going
        return self._starts_s[index] + day * self._section.day_s + online_s
