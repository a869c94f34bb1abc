"""From floats to integers that add up under masks, and back; all arithmetic modulo 2**64.

A node's vector is its D update values, each times its weight, and then its scalars (its weight and
its sums). Everything becomes unsigned integers of B bits in lanes of W bits, several to a word::

    W = 64 // lanes          B = W - ceil(log2(largest cohort))
    value  ->  floor(value * weight * (2**(B-1) - 1) / value_range + u), saturated, + 2**(B-1)
    scalar ->  round(scalar * 2**16) + 2**55 in digits of B bits, lowest first

u is uniform in [0, 1): stochastic rounding, in float64 (float32 cannot hold these integers), with
a seed that follows from the update, so equal updates give equal words. Since a lane has room for
the largest cohort times the largest value, no honest sum can overflow: it is not left to run time.
What saturated is counted for the node's own operator and never sent. Scalars are exact: counts up
to 2**39, other numbers to 2**-16.

Under differential privacy (fedtui/privacy/noise.py) values are shortened to their clip, saturate
so much earlier that the noise has room in its lane to its last sigma, and get discrete Gaussian
noise as whole numbers.

Words lie in chunks of 8,192 (keystream.py), and each chunk begins with a guard word of value 1: in
the sum of n vectors it must be n, or masks or vectors did not belong together.

Shapes: `_C` is one chunk of words, `_S` its slots (lanes * payload words); D float32 values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fedtui.crypto import keystream
from fedtui.crypto.keystream import CHUNK_WORDS, Words
from fedtui.errors import FedtuiError, LocalProtocolError
from fedtui.privacy import noise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fedtui.learning.params import Vector
    from fedtui.privacy.noise import Noise

PAYLOAD_WORDS = CHUNK_WORDS - 1
LANES = (2, 3, 4)
MIN_VALUE_BITS = 8
_SCALAR_BITS = 56
_FRACTION = 2.0**16
_MOST = 2 ** (_SCALAR_BITS - 1)
# Lanes that are integers of this machine. Signed ones, which floats become the fastest: a slot has
# at most one bit less than its lane.
_DENSE = {2: "<i4", 4: "<i2"}

Slots = npt.NDArray[np.int64]


class EncodingError(FedtuiError, ValueError):
    """Values that cannot be encoded, or a sum that cannot have come from honest vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How vectors of one plan are written; equal on every node and the coordinator.

    `scalars` names what follows the values, in order. `largest_cohort` is the most nodes that a
    sum may have; `value_range` bounds |value * weight|.
    """

    num_values: int
    scalars: tuple[str, ...]
    lanes: int
    largest_cohort: int
    value_range: float
    value_bits: int = field(init=False)

    def __post_init__(self) -> None:
        """Refuse numbers that leave no room for a value (the plan's check comes before)."""
        width = 64 // self.lanes if self.lanes in LANES else 0
        bits = width - (max(2, self.largest_cohort) - 1).bit_length()
        if bits < MIN_VALUE_BITS or not 0 < self.value_range < math.inf:
            raise LocalProtocolError(
                f"{self.lanes} lanes, cohorts of {self.largest_cohort} and a range of "
                f"{self.value_range} leave no room for a value"
            )
        object.__setattr__(self, "value_bits", bits)

    @property
    def num_digits(self) -> int:
        """Slots of one scalar."""
        return -(-_SCALAR_BITS // self.value_bits)

    @property
    def num_slots(self) -> int:
        """Values and scalar digits of one vector."""
        return self.num_values + len(self.scalars) * self.num_digits

    @property
    def num_chunks(self) -> int:
        """Chunks of one vector."""
        return -(-self._num_payload // PAYLOAD_WORDS)

    @property
    def num_words(self) -> int:
        """Words of one vector, guards included."""
        return self._num_payload + self.num_chunks

    @property
    def num_bytes(self) -> int:
        """Size of a vector on the wire and on disk."""
        return 8 * self.num_words

    @property
    def scale(self) -> float:
        """How many steps a value of 1 at full weight has."""
        return float(2 ** (self.value_bits - 1) - 1) / self.value_range

    @property
    def _num_payload(self) -> int:
        return -(-self.num_slots // self.lanes)

    def chunk_words(self, index: int) -> int:
        """Words of chunk `index`, its guard included; the last may be short."""
        return min(PAYLOAD_WORDS, self._num_payload - index * PAYLOAD_WORDS) + 1

    def slots_of(self, index: int) -> range:
        """Which slots chunk `index` holds."""
        first = index * PAYLOAD_WORDS * self.lanes
        return range(first, min(first + PAYLOAD_WORDS * self.lanes, self.num_slots))


@dataclass(frozen=True, slots=True)
class Hidden:
    """How a vector is hidden; `seed` is 32 fresh random bytes, for this vector alone."""

    noise: Noise
    seed: bytes = field(repr=False)


class Encoder:
    """One node's vector, chunk by chunk. `num_saturated` grows as chunks are made."""

    def __init__(
        self,
        encoding: Encoding,
        update_D: Vector,
        scalars: Mapping[str, float],
        *,
        weight: float,
        rounding_seed: bytes,
        hidden: Hidden | None = None,
    ) -> None:
        """Take D float32 values, every scalar of the encoding by name, and a weight in (0, 1].

        Raises:
            EncodingError: a scalar is no number.
            NoiseError: the update cannot be hidden in this encoding.
            LocalProtocolError: not what this encoding is for.
        """
        fits = len(update_D) == encoding.num_values and scalars.keys() >= {*encoding.scalars}
        if not fits or not 0 < weight <= 1:
            raise LocalProtocolError("these are not the values and weight of this encoding")
        self.num_saturated = 0
        self.encoding = encoding
        self._update_D = update_D
        self._factor = weight * encoding.scale
        self._seed = rounding_seed
        self._most = 2 ** (encoding.value_bits - 1) - 1
        self._hidden = hidden
        self._sigma = 0.0  # in steps
        if hidden is not None:
            self._clip(hidden.noise)
        self._digits = self._digits_of([scalars[name] for name in encoding.scalars])
        most_slots = min(PAYLOAD_WORDS * encoding.lanes, encoding.num_slots + encoding.lanes)
        self._values_S = np.empty(most_slots)
        self._noise_S = np.empty(most_slots)
        self._spare_S = np.empty(0 if encoding.lanes in _DENSE else most_slots, np.int32)

    def chunk(self, index: int) -> Words:
        """The words of one chunk, its guard first; a new array.

        Raises:
            EncodingError: the chunk holds NaN or Inf. Make all chunks before any of them leaves.
        """
        encoding = self.encoding
        words_C: Words = np.empty(encoding.chunk_words(index), "<u8")
        words_C[0] = 1
        slots_S = self._slots_of(words_C)
        place = encoding.slots_of(index)
        num_values = max(0, min(place.stop, encoding.num_values) - place.start)
        if num_values:
            slots_S[:num_values] = self._values(place.start, num_values, index)
        first_digit = place.start + num_values - encoding.num_values
        digits = self._digits[first_digit : place.stop - encoding.num_values]
        slots_S[num_values : len(place)] = digits
        slots_S[len(place) :] = 0
        if encoding.lanes not in _DENSE:
            _pack(slots_S, words_C[1:], encoding.lanes)
        return words_C

    def _slots_of(self, words_C: Words) -> npt.NDArray[np.signedinteger[Any]]:
        """Where the slots of a chunk are written: into its words, if a lane is a whole type."""
        if self.encoding.lanes in _DENSE:
            return words_C[1:].view(_DENSE[self.encoding.lanes])
        return self._spare_S[: (len(words_C) - 1) * self.encoding.lanes]

    def _values(self, first: int, count: int, index: int) -> npt.NDArray[np.float64]:
        """What stands for `count` values from `first` on: whole numbers, offsets added.

        The arrays are the encoder's: new ones of this size would come from the kernel each time.
        """
        values_S, noise_S = self._values_S[:count], self._noise_S[:count]
        np.copyto(values_S, self._update_D[first : first + count])
        values_S *= self._factor
        self._draw(noise_S, index)
        noise_S *= 2.0**-32
        values_S += noise_S
        np.floor(values_S, out=values_S)
        most = float(self._most)
        if not max(values_S.max(), -values_S.min()) <= most:  # NaN makes it false, too
            if not np.isfinite(values_S).all():
                raise EncodingError("the update holds NaN or Inf: nothing is sent")
            self.num_saturated += int(np.count_nonzero(np.abs(values_S) > most))
            np.clip(values_S, -most, most, out=values_S)
        if self._hidden is not None and self._sigma:
            of = noise.source(self._hidden.seed, index)
            values_S += noise.sample(self._sigma, count, of)
        values_S += 2 ** (self.encoding.value_bits - 1)
        return values_S

    def _clip(self, wanted: Noise) -> None:
        """Shorten the values, and leave the noise its room. Raises NoiseError."""
        encoding = self.encoding
        self._factor *= noise.shortening(self._update_D, wanted.clip, 1 / encoding.scale)
        if wanted.sigma:
            self._sigma = wanted.sigma * encoding.scale
            self._most -= noise.most(self._sigma)
        if self._most <= 0:
            raise noise.NoiseError(
                f"noise of {wanted.sigma:g} has no room in a range of {encoding.value_range:g}: "
                "nothing is sent"
            )

    def _draw(self, noise_S: npt.NDArray[np.float64], index: int) -> None:
        """Whole random numbers below 2**32, two to a word of the streams 2i and 2i + 1."""
        for stream in range(2):
            part_S = noise_S[2 * CHUNK_WORDS * stream : 2 * CHUNK_WORDS * (stream + 1)]
            if len(part_S):
                words_C = keystream.chunk(self._seed, 2 * index + stream, -(-len(part_S) // 2))
                np.copyto(part_S, words_C.view("<u4")[: len(part_S)])

    def _digits_of(self, scalars: Sequence[float]) -> npt.NDArray[np.uint64]:
        bits, digits = self.encoding.value_bits, []
        for scalar in scalars:
            if not math.isfinite(scalar):
                raise EncodingError("a sum is not a number: nothing is sent")
            steps = float(scalar) * _FRACTION
            self.num_saturated += not -_MOST <= steps < _MOST
            rest = round(max(-_MOST, min(_MOST - 1, steps))) + _MOST
            for _ in range(self.encoding.num_digits):
                digits.append(rest % 2**bits)
                rest >>= bits
        return np.array(digits, np.uint64)


def _pack(slots_S: npt.NDArray[np.signedinteger[Any]], words_C: Words, lanes: int) -> None:
    """Fill words from slots, the lowest lane first."""
    words_C[:] = slots_S[::lanes]
    for lane in range(1, lanes):
        words_C |= slots_S[lane::lanes].astype("<u8") << np.uint64(lane * (64 // lanes))


def _unpack(words_C: Words, lanes: int) -> Slots:
    """Every slot of the words; a sum fills its lane to the last bit."""
    width = 64 // lanes
    if lanes in _DENSE:
        return words_C.astype("<u8", copy=False).view(f"<u{width // 8}").astype(np.int64)
    slots_S = np.empty(len(words_C) * lanes, np.int64)
    for lane in range(lanes):
        lane_C = words_C >> np.uint64(lane * width)
        slots_S[lane::lanes] = lane_C & np.uint64(2**width - 1)
    return slots_S


def decode(encoding: Encoding, words_C: Words, index: int, num_vectors: int) -> Slots:
    """The sum of `num_vectors` vectors in each slot of a chunk: integers, offsets taken away.

    Values come as their steps; scalar digits as plain sums of digits.

    Raises:
        EncodingError: the guard word is not `num_vectors`.
        LocalProtocolError: more vectors than a lane has room for, or no such chunk.
    """
    if num_vectors > encoding.largest_cohort or len(words_C) != encoding.chunk_words(index):
        raise LocalProtocolError("these words are no sum in this encoding")
    if int(words_C[0]) != num_vectors:
        raise EncodingError(
            f"the sum does not come from {num_vectors} whole vectors: masks or vectors of "
            "different contexts met, or one was spoilt"
        )
    place = encoding.slots_of(index)
    slots_S = _unpack(words_C[1:], encoding.lanes)[: len(place)]
    num_values = max(0, min(place.stop, encoding.num_values) - place.start)
    slots_S[:num_values] -= num_vectors * 2 ** (encoding.value_bits - 1)
    return slots_S


def scalars(encoding: Encoding, digits: Sequence[int], num_vectors: int) -> dict[str, float]:
    """The sum of every scalar, from the summed digits of all of them."""
    sums, each = {}, encoding.num_digits
    for number, name in enumerate(encoding.scalars):
        total = sum(
            int(digit) << (encoding.value_bits * power)
            for power, digit in enumerate(digits[number * each : (number + 1) * each])
        )
        sums[name] = (total - num_vectors * _MOST) / _FRACTION
    return sums


def chunks(encoding: Encoding) -> Iterator[tuple[int, slice]]:
    """Number and place in the vector, in words, of every chunk."""
    start = 0
    for index in range(encoding.num_chunks):
        size = encoding.chunk_words(index)
        yield index, slice(start, start + size)
        start += size
