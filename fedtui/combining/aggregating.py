"""How a rule of fedtui/aggregators/ gets the updates of a round: their order, mixes and chunks.

A rule that goes by distances, or nearest-neighbour mixing, has all updates read once before, for
their inner products; only the N x N of these are kept. Then they are put into an order that
follows from what they hold (by length, and by a digest where lengths are equal), so nothing
depends on who sent what, or when.

Mixed updates are made chunk by chunk, to the same bits in any order: values are rounded to whole
multiples of a step so small that sums of N of them are exact.

Shapes: `_C` is one chunk of a vector of D values, `_NC` one of each of N updates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from fedtui.aggregators.base import (
    Aggregator,
    Chunk,
    Combined,
    Products,
    Shares,
    mixed_products,
    weighted_sum,
)
from fedtui.combining.neighbours import neighbours
from fedtui.combining.products import SPAN, exact_product, of_chunk

if TYPE_CHECKING:
    from fedtui.learning.params import Vector

MOST_CHUNK = 2**16
_VALUES_HELD = 2**22
_LIMIT_BITS = 10  # values are below VALUE_LIMIT = 2**10
_EXACT_BITS = 53
T = TypeVar("T")
InOrder = Callable[[Callable[[int], Products], range], Iterator[Products]]


class Readable(Protocol):
    """An update: visible.Values."""

    def read(self, first: int, count: int) -> Vector: ...


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A rule with all it knows of the round before it sees the first chunk.

    `order` is that of the updates, `shares` the mixes of them that the rule goes on with (None:
    the updates themselves).
    """

    rule: Aggregator
    weights: tuple[int, ...]
    order: tuple[int, ...]
    shares: Shares | None = None

    def combine(self, chunks: Sequence[Chunk]) -> Combined:
        """The same chunk of every update, as they came, becomes one."""
        if self.shares is None:
            return self.rule.combine(chunks, self.weights)
        ordered = [chunks[at] for at in self.order]
        if len(self.shares) == 1:
            return weighted_sum(ordered, self.shares[0].tolist())
        return self.rule.combine(mixed(ordered, self.shares), [1] * len(self.shares))


def chunk_size(num_updates: int) -> int:
    """How many values of each update are held at a time: a power of two, SPAN to MOST_CHUNK."""
    size = MOST_CHUNK
    while size > SPAN and size * num_updates > _VALUES_HELD:
        size //= 2
    return size


def prepare(
    rule: Aggregator,
    mix: float | None,
    updates: Sequence[tuple[Readable, int]],
    num_values: int,
    in_order: InOrder,
    guide: int | None = None,
) -> Prepared:
    """Get a rule ready for these (update, weight) pairs; reads them all if it must know distances.

    `in_order` maps a function over a range, such as that of visible.py. `guide` is the place of
    the update that a guided rule trusts.

    Raises:
        ValueError: the rule's shares are none, or it is guided and there is no guide.
    """
    weights = tuple(weight for _, weight in updates)
    num = len(updates)
    rule = rule.for_round(num)
    if rule.guided and guide is None:
        raise ValueError("the update that the rule trusts is not among these")
    if mix is None and not rule.by_products:
        return Prepared(rule, weights, tuple(range(num)))
    size = chunk_size(num)

    def one_chunk(first: int) -> Products:
        return of_chunk(np.stack([update.read(first, size) for update, _ in updates]))

    products_NN = np.zeros((num, num))
    for part_NN in in_order(one_chunk, range(0, num_values, size)):
        products_NN += part_NN
    order = _order(products_NN, [update for update, _ in updates], num_values)
    if rule.guided:
        order.sort(key=lambda at: at != guide)
    products_NN = products_NN[np.ix_(order, order)]
    shares: Shares = np.eye(num)
    if mix is not None:
        shares = neighbours(products_NN, mix)
        products_NN = mixed_products(products_NN, shares)
    if rule.by_products:
        shares = _checked(rule.shares(products_NN), num) @ shares
    return Prepared(rule, weights, tuple(order), shares)


def _order(products_NN: Products, updates: Sequence[Readable], num_values: int) -> list[int]:
    """By length; equally long ones by what they hold."""
    squares = np.diagonal(products_NN).tolist()
    known: dict[float, int] = {}
    for square in squares:
        known[square] = known.get(square, 0) + 1
    digests = [
        _digest(update, num_values) if known[square] > 1 else b""
        for update, square in zip(updates, squares, strict=True)
    ]
    return sorted(range(len(squares)), key=lambda at: (squares[at], digests[at]))


def _digest(update: Readable, num_values: int) -> bytes:
    state = blake2b(digest_size=16)
    for first in range(0, num_values, MOST_CHUNK):
        state.update(update.read(first, MOST_CHUNK).tobytes())
    return state.digest()


def _checked(shares_MN: Shares, num_updates: int) -> Shares:
    """What a rule made, which may be its operator's own."""
    shape = np.shape(shares_MN)
    if len(shape) != 2 or shape[1] != num_updates or not shape[0]:
        raise ValueError(f"shares are rows of {num_updates} numbers, one for each update")
    sums_M = shares_MN.sum(axis=1)
    if not (shares_MN.min() >= 0 and sums_M.max() <= 1 + 1e-9):
        raise ValueError("shares are at least 0, and those of a row add up to 1 at most")
    return shares_MN


def mixed(updates: Sequence[Chunk], shares_MN: Shares) -> Iterator[Combined]:
    """The chunks of the M mixes, one after the other, in any order of the updates the same.

    Raises:
        ValueError: the shares of a row that are not 0 are unequal.
    """
    counts_MN = shares_MN > 0
    share_M = shares_MN.max(axis=1)
    if not np.allclose(np.where(counts_MN, share_M[:, None], 0.0), shares_MN, rtol=1e-9, atol=0):
        raise ValueError("of several mixes, each has equal shares of the updates in it")
    num = len(updates)
    bits = _EXACT_BITS - _LIMIT_BITS - max(1, (num - 1).bit_length())
    whole_NC = np.empty((num, len(updates[0])))
    for row_C, update_C in zip(whole_NC, updates, strict=True):
        np.rint(np.multiply(update_C, 2.0**bits, dtype=np.float64), out=row_C)
    summed_MC = exact_product(counts_MN.astype(np.float64), whole_NC)
    summed_MC *= (share_M * 2.0**-bits)[:, None]
    yield from summed_MC
