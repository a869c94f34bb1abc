"""Unmasking a sum: take the masks away chunk by chunk, and read what is left.

    opened chunk = sum of the survivors' words - masks of `minus` + masks of `plus`

Chunks are independent, so a driver may open them in any order and on many threads; `whole` does it
for vectors that fit in memory.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fedtui.crypto import keystream
from fedtui.crypto.keystream import Words
from fedtui.secagg import encoding
from fedtui.secagg.coordinator import Unmasking
from fedtui.secagg.encoding import Encoding, Slots


@dataclass(frozen=True, slots=True)
class Opened:
    """What a sum says: float64 sums of value * weight, D of them, and the sum of each scalar."""

    values_D: npt.NDArray[np.float64]
    scalars: dict[str, float]


def open_chunk(layout: Encoding, words_C: Words, index: int, unmasking: Unmasking) -> Slots:
    """The summed slots of one chunk; `words_C` is changed in place.

    Raises:
        EncodingError: the guard word shows that it is no sum of the survivors' vectors.
    """
    by = unmasking.keystream
    keystream.subtract(words_C, index, unmasking.minus, by=by)
    keystream.add(words_C, index, unmasking.plus, by=by)
    return encoding.decode(layout, words_C, index, unmasking.num_survivors)


def whole(layout: Encoding, words: Words, unmasking: Unmasking) -> Opened:
    """Open a whole vector of summed words; it is changed in place. Raises as `open_chunk`."""
    parts = [
        open_chunk(layout, words[place], index, unmasking)
        for index, place in encoding.chunks(layout)
    ]
    slots = np.concatenate(parts) if parts else np.empty(0, np.int64)
    values_D = slots[: layout.num_values] / layout.scale
    digits = [int(digit) for digit in slots[layout.num_values :]]
    return Opened(values_D, encoding.scalars(layout, digits, unmasking.num_survivors))
