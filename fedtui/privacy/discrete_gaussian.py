"""Discrete Gaussian noise of any size from a cryptographic source, many values at a time.

    P[X = x] = exp(-x**2 / (2 * sigma**2)) / sum over all integers y of the same

By rejection from a stair: the integers are cut into bins of `width` (a power of two), a bin is
chosen by the top of its density (Walker's alias method), a place in it uniformly, and the place is
kept with probability density there / top of the bin. `width` is 1 for small sigma, else between
sigma / 32 and sigma / 16, so that about 2 of 100 are thrown away.

How far from exact: no rounding of floats decides anything (Mironov, CCS 2012). Bins are compared
as integers of 128 bits. Whether a place is kept is decided by a float only if it is farther from
the limit than the float can be wrong; else by as many digits as it takes. What remains are the
tails beyond TAIL_SIGMAS, which never come, and 2**-118 for the bins: the total variation distance
of one value is below 2**-115. It is not made in constant time: that needs somebody who measures
this process itself.

Shapes: `_N` is one batch of candidates.
"""

from __future__ import annotations

import decimal
import functools
import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fedtui.crypto import keystream
from fedtui.errors import LocalProtocolError
from fedtui.privacy.summed import TAIL_SIGMAS

if TYPE_CHECKING:
    from fedtui.crypto.keystream import Words

MOST_SIGMA = 2.0**36
LEAST_SIGMA = 0.01
_STEPS = 16  # bins of a sigma at least
_INDEX_BITS = 10  # of the table; 2 * (32 * TAIL_SIGMAS + 1) bins are fewer than 2**10
_REST_BITS = 64 - _INDEX_BITS
_WIDE_BITS = 128
_BATCH = keystream.CHUNK_WORDS
_DIGITS = 60
_UNSURE = 2.0**-40  # far more than a product and an exponential of float64 are wrong by

Ints = npt.NDArray[np.int64]


class Source:
    """Uniform 64-bit words of one ChaCha20 keystream, each given once."""

    def __init__(self, seed: bytes) -> None:
        """Begin with 32 bytes: fresh from the system's generator, or a simulation's own."""
        self._seed = seed
        self._index = 0
        keystream.chunk(seed, 0, 1)  # refuses a seed of another length here, not later

    def words(self, count: int) -> Words:
        """The next `count` words, at most CHUNK_WORDS; what is left of their chunk is dropped."""
        words_N = keystream.chunk(self._seed, self._index, count)
        self._index += 1
        return words_N

    def bits(self, count: int) -> int:
        """A whole number of `count` bits, at most 64."""
        return int(self.words(1)[0]) >> (64 - count)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """What is drawn from, for one sigma. `_T` has 2**_INDEX_BITS entries, some of no weight.

    Entry i stands for itself with probability whole[i] / 2**128, else for entry other_T[i].
    """

    width_bits: int
    whole: tuple[int, ...]
    head_T: Words  # the first _REST_BITS of `whole`
    other_T: Ints
    first_T: Ints  # the least integer of the bin
    near_T: Ints  # the magnitude in the bin that is nearest to zero


@functools.lru_cache(maxsize=8)
def _table(sigma: float) -> _Table:
    width_bits = max(0, math.floor(math.log2(sigma / _STEPS)))
    width = 1 << width_bits
    reach = math.ceil(TAIL_SIGMAS * sigma / width)
    bins = range(-reach, reach)
    near = [b * width if b >= 0 else -(b * width + width - 1) for b in bins]
    size = 1 << _INDEX_BITS
    two_squares = 2 * Fraction(sigma) ** 2
    with decimal.localcontext() as context:
        context.prec = _DIGITS
        unit = Decimal(2) ** _WIDE_BITS
        weights = [int(_exp(Fraction(-(n**2)) / two_squares) * unit) for n in near]
    weights += [0] * (size - len(weights))
    whole, other = _alias(weights)
    padding = [0] * (size - len(near))
    return _Table(
        width_bits,
        whole,
        np.array([(w - 1) >> (_WIDE_BITS - _REST_BITS) if w else 0 for w in whole], np.uint64),
        np.array(other, np.int64),
        np.array([b * width for b in bins] + padding, np.int64),
        np.array(near + padding, np.int64),
    )


def _exp(power: Fraction) -> Decimal:
    return (Decimal(power.numerator) / Decimal(power.denominator)).exp()


def _alias(weights: list[int]) -> tuple[tuple[int, ...], list[int]]:
    """Walker's table (Vose 1991), in whole numbers of 2**-128; full entries are 2**128."""
    size, total = len(weights), sum(weights)
    left = [weight * size for weight in weights]
    whole, other = [1 << _WIDE_BITS] * size, list(range(size))
    small = [at for at in range(size) if left[at] < total]
    large = [at for at in range(size) if left[at] >= total]
    while small and large:
        few, many = small.pop(), large.pop()
        whole[few], other[few] = (left[few] << _WIDE_BITS) // total, many
        left[many] -= total - left[few]
        (small if left[many] < total else large).append(many)
    return tuple(whole), other


def sample(sigma: float, count: int, source: Source) -> Ints:
    """`count` independent values of standard deviation about `sigma`; int64, a new array.

    No value is beyond TAIL_SIGMAS * sigma + max(1, sigma / 16) in magnitude (`most`).

    Raises:
        LocalProtocolError: sigma is not in [LEAST_SIGMA, MOST_SIGMA].
    """
    if not LEAST_SIGMA <= sigma <= MOST_SIGMA:
        raise LocalProtocolError(f"noise of {sigma} steps cannot be drawn")
    table = _table(sigma)
    found: Ints = np.empty(count, np.int64)
    done = 0
    while done < count:
        wanted = min(_BATCH, count - done)
        kept_N = _batch(table, sigma, min(_BATCH, wanted + wanted // 16 + 8), source)[:wanted]
        found[done : done + len(kept_N)] = kept_N
        done += len(kept_N)
    return found


def most(sigma: float) -> int:
    """The largest magnitude that `sample` gives."""
    return math.ceil(TAIL_SIGMAS * sigma + max(1.0, sigma / _STEPS))


def _batch(table: _Table, sigma: float, count: int, source: Source) -> Ints:
    """What is kept of `count` candidates."""
    words_N = source.words(count)
    index_N = (words_N >> np.uint64(_REST_BITS)).astype(np.int64)
    rest_N = words_N & np.uint64((1 << _REST_BITS) - 1)
    head_N = table.head_T[index_N]
    itself_N = rest_N < head_N
    for at in np.flatnonzero(rest_N == head_N):  # once in 2**54
        itself_N[at] = _is_itself(table, int(index_N[at]), int(rest_N[at]), source)
    index_N = np.where(itself_N, index_N, table.other_T[index_N])
    values_N = table.first_T[index_N]
    if not table.width_bits:
        return values_N
    words_N = source.words(count)
    values_N += (words_N & np.uint64((1 << table.width_bits) - 1)).astype(np.int64)
    dice_N = (words_N >> np.uint64(32)).astype(np.float64)
    dice_N *= 2.0**-32
    near_N = table.near_T[index_N]
    # x**2 - near**2, each factor exact as a float
    magnitude_N = np.abs(values_N)
    falls_N = (magnitude_N - near_N).astype(np.float64)
    falls_N *= magnitude_N + near_N
    falls_N *= 0.5 / sigma**2
    # exp(-a) >= 1 - a decides nearly always, without an exponential
    kept_N = dice_N + (2.0**-32 + _UNSURE) <= 1.0 - falls_N
    unsure = np.flatnonzero(~kept_N)
    limits = np.exp(-falls_N[unsure])
    dice = dice_N[unsure]
    kept_N[unsure] = dice + (2.0**-32 + _UNSURE) <= limits
    for at in unsure[(dice - _UNSURE < limits) & ~kept_N[unsure]]:  # once in 2**32
        drawn = int(words_N[at]) >> 32
        kept_N[at] = _is_kept(int(values_N[at]), int(near_N[at]), sigma, drawn, source)
    return values_N[kept_N]


def _is_itself(table: _Table, index: int, rest: int, source: Source) -> bool:
    """The rest of the comparison whose first _REST_BITS were equal."""
    more = _WIDE_BITS - _REST_BITS
    low = source.bits(more - 64) << 64 | source.bits(64)
    return rest << more | low < table.whole[index]


def _is_kept(value: int, near: int, sigma: float, drawn: int, source: Source) -> bool:
    """Whether a uniform real, of which 32 bits are `drawn`, is below the density's ratio."""
    bits = 32
    power = Fraction(near**2 - value**2) / (2 * Fraction(sigma) ** 2)
    while True:
        with decimal.localcontext() as context:
            context.prec = digits = bits // 3 + 30
            limit = _exp(power)
            unsure, unit = Decimal(10) ** (3 - digits), Decimal(2) ** bits
            if Decimal(drawn + 1) / unit + unsure <= limit:
                return True
            if Decimal(drawn) / unit - unsure >= limit:
                return False
        drawn, bits = drawn << 64 | source.bits(64), bits + 64
