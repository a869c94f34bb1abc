"""The noise of a drill: one Gaussian release of a sum of clipped updates, and its epsilon.

Sum and node level: every update is clipped to an L2 norm of `clip`, and the sum gets noise of
`multiplier * clip` in every value. For one release epsilon is exact: Balle and Wang, ICML 2018,
theorem 8. A federation has many, and its account is another matter.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize
from scipy.special import log_ndtr

if TYPE_CHECKING:
    import numpy.typing as npt

_LEAST, _MOST = 1e-6, 1e6  # noise multipliers that are searched


def delta_of(epsilon: float, multiplier: float) -> float:
    """The delta of one Gaussian release with this noise, for sensitivity 1."""
    half, step = 0.5 / multiplier, epsilon * multiplier
    return float(np.exp(log_ndtr(half - step)) - np.exp(epsilon + log_ndtr(-half - step)))


def multiplier_for(epsilon: float, delta: float) -> float:
    """The least noise, as a multiple of the clip norm, that gives (epsilon, delta).

    Raises:
        ValueError: epsilon is not above 0 or not finite, delta not between 0 and 1.
    """
    if not (0 < epsilon < math.inf and 0 < delta < 1):
        raise ValueError(
            f"epsilon {epsilon:g} and delta {delta:g}: epsilon must be a finite number above 0, "
            "delta between 0 and 1"
        )
    # delta falls with the noise, so the sign changes once
    found = optimize.brentq(
        lambda log: delta_of(epsilon, math.exp(log)) - delta,
        math.log(_LEAST),
        math.log(_MOST),
        xtol=1e-12,
    )
    return math.exp(found)


def clipped(update_D: npt.NDArray[np.float64], clip: float) -> npt.NDArray[np.float64]:
    """The update, shortened to the L2 norm `clip` if it is longer."""
    length = float(np.linalg.norm(update_D))
    return update_D * (clip / length) if length > clip else update_D
