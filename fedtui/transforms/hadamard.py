"""Random rotation by signs and a Hadamard matrix (Suresh et al. 2017, arXiv:1611.00429).

    rotated = H * S * values        S = diag(random signs), H = Walsh-Hadamard / sqrt(n), H = H^-1

Few bits are spent best on values of one size. The values of an update are of many sizes; after the
rotation each is a sum of all of them with random signs, near a normal one, so none is much larger
than the length of the block / sqrt(n). H wants n to be a power of two. Of a block of another
length the first 2**p values are rotated, then the last 2**p of what that gave (2**p is the largest
power of two that fits), with signs of their own: both steps are orthogonal, nothing is padded, and
every value is mixed with at least half of the others.

It sends as many values as before and loses nothing but rounding to float32. The traps: it gains
only if [privacy] value_range is narrowed with it (a plan with update_clip that leaves it out gets
a fitting one, rounds/compression.py), and a few values that stick out are spread over all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fedtui.transforms.base import BLOCK, Real, Transform, Where

if TYPE_CHECKING:
    import numpy.typing as npt

_STEP_WORDS = BLOCK // 64


@dataclass(frozen=True, slots=True)
class Hadamard(Transform):
    """No options."""

    def forward(self, values_B: npt.NDArray[np.float32], where: Where) -> npt.NDArray[np.float32]:
        values = values_B.astype(np.float64)
        for step, place in enumerate(_pieces(len(values))):
            values[place] = _rotated(values[place] * _signs(where, step, place))
        return values.astype(np.float32)

    def backward(
        self, sent_S: npt.NDArray[Real], num_values: int, where: Where
    ) -> npt.NDArray[Real]:
        values = sent_S.astype(np.float64)
        steps = list(enumerate(_pieces(num_values)))
        for step, place in reversed(steps):
            values[place] = _rotated(values[place]) * _signs(where, step, place)
        return values.astype(sent_S.dtype)


def _pieces(num_values: int) -> tuple[slice, ...]:
    """What is rotated, one after the other; once if the length is a power of two."""
    size = 1 << (num_values.bit_length() - 1)
    whole = slice(0, size)
    return (whole,) if size == num_values else (whole, slice(num_values - size, num_values))


def _signs(where: Where, step: int, place: slice) -> npt.NDArray[np.float64]:
    size = place.stop - place.start
    words = where.words((step + 1) * _STEP_WORDS)[step * _STEP_WORDS :]
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), count=size)
    return bits.astype(np.float64) * 2.0 - 1.0


def _rotated(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The orthonormal Walsh-Hadamard transform; the same again gives the values back."""
    size, half = len(values), 1
    while half < size:
        pairs = values.reshape(-1, 2, half)
        values = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).ravel()
        half *= 2
    return values / math.sqrt(size)


build = Hadamard
