"""Clipping and noise as numbers: what one vector may weigh, and what is added to it.

Noise is added to whole numbers, never to floats (Mironov, CCS 2012): a vector becomes multiples of
a step first. Rounding makes vectors longer, at most by sqrt(D) steps. So a node clips to

    clip - sqrt(D) * step

and its whole numbers are never longer than clip / step, whatever the rounding did; the noise is
scaled to clip alone, and nobody has to correct an epsilon for it. (Kairouz, Liu and Steinke,
arXiv:2102.06387, section 4, draw again until the vector is short, to gain with large steps. Plans
whose steps are so large are refused here.)

Shapes: `_D` is a whole vector of D values, `_C` a part of one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fedtui.crypto.keys import digest
from fedtui.errors import FedtuiError, LocalProtocolError

if TYPE_CHECKING:
    from types import ModuleType

    from fedtui.learning.params import Vector
    from fedtui.privacy.discrete_gaussian import Ints, Source

_EXACT = 1 - 1e-9  # what float64 may be wrong by when it measures a length
_FINE_BITS = 24  # a sigma has so many bits of steps where steps may be chosen
_SPAN = 2**16


class NoiseError(FedtuiError, ValueError):
    """This vector cannot be hidden: it holds NaN or Inf, or its steps are too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What a node does to what leaves: `clip` bounds its L2 length, `sigma` is then added.

    Both are in the unit of the values; sigma 0 is no noise, where somebody else adds it.
    """

    clip: float
    sigma: float

    def __post_init__(self) -> None:
        """Refuse what is no bound or no noise."""
        if not 0 < self.clip < math.inf or not 0 <= self.sigma < math.inf:
            raise LocalProtocolError(f"no clip or noise: {self.clip} and {self.sigma}")


def _sampler() -> ModuleType:
    """Loaded by whoever draws: a node's daemon never does, and has no room for it."""
    from fedtui.privacy import discrete_gaussian  # noqa: PLC0415

    return discrete_gaussian


def sample(sigma: float, count: int, of: Source) -> Ints:
    """`count` values of discrete Gaussian noise, as discrete_gaussian.py draws them."""
    drawn_N: Ints = _sampler().sample(sigma, count, of)
    return drawn_N


def most(sigma: float) -> int:
    """No noise is larger in magnitude."""
    return int(_sampler().most(sigma))


def source(seed: bytes, index: int) -> Source:
    """What part `index` of a vector is hidden with; another part never gets the same."""
    made: Source = _sampler().Source(digest("fedtui1-noise", seed, index.to_bytes(8, "little")))
    return made


def shortening(update_D: Vector, clip: float, step: float) -> float:
    """What to multiply an update by, at most 1, so that in whole steps it is within `clip`.

    Raises:
        NoiseError: it holds NaN or Inf, or sqrt(D) steps are as long as the clip.
    """
    room = (clip - math.sqrt(len(update_D)) * step) * _EXACT
    if room <= 0:
        raise NoiseError(
            f"steps of {step:g} are too large for {len(update_D):,} values within {clip:g}: "
            "nothing is sent"
        )
    squares = 0.0
    for first in range(0, len(update_D), _SPAN):  # not np.dot: BLAS would wake threads
        part_C = update_D[first : first + _SPAN].astype(np.float64)
        squares += float(np.square(part_C, out=part_C).sum())
    if not math.isfinite(squares):
        raise NoiseError("the update holds NaN or Inf: nothing is sent")
    return min(1.0, room / math.sqrt(squares)) if squares else 1.0


def noised(update_D: Vector, noise: Noise, seed: bytes) -> Vector:
    """An update that its own node hides, clipped and with noise; a new float32 array.

    `seed` is 32 fresh random bytes, never used again.

    Raises:
        NoiseError: as `shortening`.
    """
    if not noise.sigma:
        by = shortening(update_D, noise.clip, 0.0)
        return update_D * np.float32(by * (1 - 1e-6)) if by < 1 else update_D.copy()
    grid = Grid(noise.sigma)
    by = shortening(update_D, noise.clip, grid.step)
    hidden_D = np.empty(len(update_D), np.float32)
    for first in range(0, len(update_D), _SPAN):
        place = slice(first, first + _SPAN)
        hidden_D[place] = grid.hide(update_D[place] * np.float64(by), source(seed, first))
    return hidden_D


class Grid:
    """Steps that are fine for a sigma, and the noise of it on them."""

    def __init__(self, sigma: float) -> None:
        """`step` becomes the power of two that sigma is 2**24 to 2**25 times as large as.

        Raises:
            LocalProtocolError: no finite number above 0.
        """
        if not 0 < sigma < math.inf:
            raise LocalProtocolError(f"{sigma} is no noise")
        self.step = 2.0 ** (math.frexp(sigma)[1] - 1 - _FINE_BITS)
        self._sigma = sigma / self.step

    def hide(self, values_C: npt.NDArray[np.float64], of: Source) -> npt.NDArray[np.float64]:
        """The nearest multiples of the step, with noise; a new array.

        Raises:
            NoiseError: a value is NaN, Inf, or 2**62 steps or more.
        """
        steps_C = np.rint(values_C / self.step)
        if not (np.abs(steps_C) < 2.0**62).all():
            raise NoiseError("a value is NaN, Inf or too large for its noise")
        whole_C = steps_C.astype(np.int64)
        whole_C += sample(self._sigma, len(whole_C), of)
        hidden_C: npt.NDArray[np.float64] = whole_C.astype(np.float64)
        hidden_C *= self.step  # a power of two: exact
        return hidden_C


class Central:
    """The noise that a coordinator adds to a mean of D values before anybody sees it.

    The mean is rounded to multiples of a step, which moves two neighbouring means apart by sqrt(D)
    steps at most: sigma is larger by that.
    """

    def __init__(self, noise: float, sensitivity: float, num_values: int, seed: bytes) -> None:
        """`noise` is the multiplier z; one node moves the mean by `sensitivity` (L2) at most.

        `seed` is 32 fresh random bytes, never used again.
        """
        rough = Grid(noise * sensitivity)
        moved = sensitivity + 2 * math.sqrt(num_values) * rough.step  # the step may yet double
        self._grid = Grid(noise * moved)
        self._seed = seed

    def hide(self, mean_C: npt.NDArray[np.float64], first: int) -> npt.NDArray[np.float64]:
        """The values of the mean from `first` on, hidden. Safe in many threads.

        A place always gets the same noise, so values must not be asked for twice in parts that
        overlap.
        """
        return self._grid.hide(mean_C, source(self._seed, first))
