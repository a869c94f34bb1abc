"""What bytes look like: runs of ordinary numbers, as models and updates are, or chance alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    import numpy.typing as npt

FEWEST = 48  # numbers in a row that are no accident: below 1e-38 in random bytes
_LEAST, _MOST = 1e-9, 1e3  # magnitudes of weights and updates
_BLOCK = 2**24
_BY_CHANCE = 1e-9  # how rarely chance may look as uneven as this
FEWEST_BYTES = 2048  # for a chi-square over 256 values
_WORD = 8


def longest_floats(data: bytes) -> int:
    """The most ordinary numbers in a row, float32 or float64, little-endian, wherever they begin.

    Zeros in between are allowed and not counted. Text has none.
    """
    if is_text(data):
        return 0
    longest = 0
    for first in range(0, len(data), _BLOCK):
        block = data[first : first + _BLOCK]
        for kind, size in (("<f4", 4), ("<f8", 8)):
            for shift in range(size):
                num = (len(block) - shift) // size
                if num >= FEWEST:
                    numbers = np.frombuffer(block, kind, num, shift)
                    longest = max(longest, _longest(numbers))
    return longest


def is_text(data: bytes) -> bool:
    """Whether it is UTF-8 without control characters other than those of lines."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return all(one.isprintable() or one in "\n\r\t" for one in text)


def looks_random(data: bytes) -> bool:
    """Whether no byte value is commoner than chance allows, over all and at each place of a word.

    False for less than 2 KiB, of which nothing can be said.
    """
    if len(data) < FEWEST_BYTES:
        return False
    values = np.frombuffer(data, np.uint8)
    parts = [values]
    if len(data) >= _WORD * FEWEST_BYTES:
        parts += [values[place::_WORD] for place in range(_WORD)]
    words = np.frombuffer(data, "<u8", len(data) // _WORD)
    repeats = len(np.unique(words)) < len(words) - 1
    return not repeats and all(
        float(stats.chisquare(np.bincount(part, minlength=256)).pvalue) > _BY_CHANCE
        for part in parts
    )


def _longest(numbers: npt.NDArray[np.floating]) -> int:
    with np.errstate(invalid="ignore"):
        size = np.abs(numbers)
        ordinary = (size > _LEAST) & (size < _MOST)
    broken = np.flatnonzero(~ordinary & (numbers != 0))
    counted = np.concatenate([[0], np.cumsum(ordinary)])
    edges = np.concatenate([[0], broken, [len(numbers)]])
    return int(np.diff(counted[edges]).max(initial=0))
