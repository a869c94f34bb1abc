"""What a node has spent: the noisy sums that it was in, and the one release that they amount to.

Neighbours are two federations of which one has a node less (all that it sent is zero). Per round a
node moves one sum by at most the clip, so every round is one Gaussian release with the noise
multiplier z = sigma / clip. Gaussian releases compose to one exactly (Dong, Roth and Su,
"Gaussian Differential Privacy", arXiv:1905.02383, Corollary 2):

    1 / z**2 = sum over all releases of 1 / z_i**2

Nothing is gained by who was drawn for a round: the coordinator knows the cohort. What epsilon the
one release has is asked elsewhere (accounting.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Release:
    """`count` rounds in which a node was in a sum with noise of `noise` clips (z, above 0)."""

    noise: float
    count: int = 1

    def __post_init__(self) -> None:
        """Refuse what is no release."""
        if not 0 < self.noise < math.inf or self.count < 0:
            raise LocalProtocolError(f"no release: {self.count} with noise {self.noise}")


def together(releases: Iterable[Release]) -> float:
    """The noise multiplier of the one Gaussian that all of them are; infinite for none."""
    precision = math.fsum(one.count / one.noise / one.noise for one in releases)
    return 1 / math.sqrt(precision) if precision else math.inf
