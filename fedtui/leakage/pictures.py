"""A task's inputs as pictures: from what the model eats to 0..1, and to what a person sees.

Works where inputs are pictures (a square number of pixels, or channels by height by width) that
`prepare` scales pixel by pixel, as tasks for images do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fedtui.leakage.similarity import WINDOW, ssim

if TYPE_CHECKING:
    import numpy.typing as npt

    from fedtui.learning.data import Array
    from fedtui.learning.task import Task

    Pictures = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """How prepared inputs become pictures; `low` and `high` are prepared black and white."""

    shape: tuple[int, int, int]
    low: Array
    high: Array

    def hang(self, x: Array) -> Pictures:
        """Prepared inputs, or flat guesses at them, as float64 (k, channels, h, w) of 0 to 1."""
        span = (self.high - self.low).astype(np.float64)
        scaled = (x.reshape(len(x), *self.low.shape) - self.low) / span
        return np.clip(scaled, 0, 1).reshape(len(x), *self.shape)


def gallery(task: Task, x: Array) -> Gallery | None:
    """How this task's raw inputs `x`, (n, ...), are pictures; None if they are not."""
    shape = _shape(x.shape[1:])
    if shape is None or x.dtype.kind not in "uif" or float(x.max()) <= 0 or float(x.min()) < 0:
        return None
    top = float(x.max())
    low, high = (task.prepare(np.full_like(x[:1], value))[0] for value in (0, top))
    if low.size != math.prod(shape) or not (high > low).all():
        return None
    found = Gallery(shape, low, high)
    some = x[:8]
    scaled = some.reshape(len(some), *shape) / top
    return found if np.allclose(found.hang(task.prepare(some)), scaled, atol=1e-4) else None


def likeness(left: Pictures, right: Pictures) -> float:
    """SSIM of two pictures (channels, h, w), the mean of their channels."""
    return float(np.mean([ssim(a, b) for a, b in zip(left, right, strict=True)]))


def nearest(wanted: Pictures, among: Pictures) -> tuple[int, float]:
    """Which of these is the most like `wanted`, and its SSIM; (-1, 0.0) if there are none."""
    found = [likeness(wanted, one) for one in among]
    best = int(np.argmax(found)) if found else -1
    return best, found[best] if found else 0.0


def _shape(of: tuple[int, ...]) -> tuple[int, int, int] | None:
    if len(of) == 1 and math.isqrt(of[0]) ** 2 == of[0]:
        of = (1, math.isqrt(of[0]), math.isqrt(of[0]))
    if len(of) == 2:
        of = (1, *of)
    if len(of) != 3 or of[0] not in {1, 3} or min(of[1:]) < WINDOW:
        return None
    return of[0], of[1], of[2]
