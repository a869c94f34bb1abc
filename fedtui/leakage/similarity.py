"""How alike two pictures are: SSIM (Wang, Bovik, Sheikh and Simoncelli, IEEE TIP 2004).

Windows of 7 by 7 with equal weights, unbiased variances, and only windows that lie wholly in the
picture: what scikit-image's `structural_similarity` computes by default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Picture = npt.NDArray[np.float64]

WINDOW = 7
_C1, _C2 = 0.01**2, 0.03**2  # of the range of values, which is 1


def ssim(left: Picture, right: Picture) -> float:
    """-1 to 1, and 1 for equal pictures: float64 of shape (h, w), values 0 to 1, 7 or more a side.

    Raises:
        ValueError: shapes that differ or have no room for a window.
    """
    if left.shape != right.shape or left.ndim != 2 or min(left.shape) < WINDOW:
        raise ValueError(
            f"pictures of {left.shape} and {right.shape} cannot be compared: SSIM takes two of "
            f"one shape, {WINDOW} or more a side"
        )
    a, b = _windows(left), _windows(right)
    mean_a, mean_b = a.mean(-1), b.mean(-1)
    unbiased = a.shape[-1] / (a.shape[-1] - 1)
    var_a, var_b = a.var(-1) * unbiased, b.var(-1) * unbiased
    both = ((a * b).mean(-1) - mean_a * mean_b) * unbiased
    above = (2 * mean_a * mean_b + _C1) * (2 * both + _C2)
    below = (mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2)
    return float((above / below).mean())


def _windows(picture: Picture) -> Picture:
    found = np.lib.stride_tricks.sliding_window_view(picture, (WINDOW, WINDOW))
    return found.reshape(*found.shape[:2], -1)
