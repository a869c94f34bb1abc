"""Who is whose neighbour, and how many must answer: the numbers of one attempt.

n nodes are in the roster, c of them may collude with the coordinator.

    quorum     q = floor((n + c) / 2) + 1     votes for one survivor set
    n <= 128   everyone is everyone's neighbour; t = q shares open a secret
    n > 128    a ring: node i's neighbours are the k/2 before and the k/2 after it in an order
               that a hash decides; t = k/2 + c_half + 2 of the k + 1 holders

Holders of a node's shares are its neighbours and itself. Two facts make the quorum right. Two
different survivor sets cannot both gather q votes: together 2q > n + c, so an honest node would
have voted twice. And shares of both kinds of one node cannot both reach t, for the same reason:
2t > n + c, and an honest holder gives one kind only.

On a ring, c_half is the number of colluders that the k/2 nodes on one side exceed with a
probability below 2**-80 / 2n (the coordinator can try seeds; 40 of the 80 bits are for that). Then
no choice of drop-outs can cut honest survivors into parts whose sums would show apart. The degree
is the smallest even one with which, if d of the n nodes drop, some node loses more neighbours than
it can spare with a probability below 2**-20 (after Bell et al., CCS 2020).
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from math import comb

FULL_UP_TO = 128
_CUT_BITS = 80
_LOSS_BITS = 20


def quorum(num_nodes: int, colluders: int) -> int:
    """q: how many votes fix a survivor set."""
    return (num_nodes + colluders) // 2 + 1


def default_colluders(num_invited: int) -> int:
    """Colluders where the plan names none: a fifth of the cohort that was invited, at least 1."""
    return max(1, num_invited // 5)


def default_minimum(num_invited: int, colluders: int) -> int:
    """Least nodes of a sum where the plan names none: half the cohort, more than colluders."""
    return max(3, colluders + 2, -(-num_invited // 2))


def of_group(size: int, colluders: int | None, minimum: int | None) -> tuple[int, int]:
    """Colluders and least nodes of a group of at least `size`; None: the plan names none."""
    bad = colluders or default_colluders(size)
    return bad, max(minimum or quorum(size, bad), bad + 2)


def threshold(num_nodes: int, colluders: int, degree: int) -> int:
    """t: how many shares open a secret, in a graph of this degree (n - 1: the full one)."""
    if degree == num_nodes - 1:
        return quorum(num_nodes, colluders)
    return degree // 2 + _half(num_nodes, colluders, degree // 2) + 2


def is_degree(num_nodes: int, colluders: int, degree: int) -> bool:
    """Whether a graph of this degree is one that a node may go along with."""
    if not 0 <= colluders < num_nodes:
        return False
    if degree == num_nodes - 1:
        return threshold(num_nodes, colluders, degree) <= num_nodes
    ring = num_nodes > FULL_UP_TO and degree % 2 == 0 and 2 <= degree < num_nodes - 1
    return ring and threshold(num_nodes, colluders, degree) <= degree + 1


@cache
def degree(num_nodes: int, colluders: int, dropouts: int) -> int:
    """k: the number of neighbours of each node if `dropouts` of the roster may be lost.

    The full graph up to 128 nodes, and wherever a ring would need as many neighbours.
    """
    if num_nodes <= FULL_UP_TO:
        return num_nodes - 1
    for k in range(2, num_nodes - 1, 2):
        spare = k + 1 - threshold(num_nodes, colluders, k)
        if spare < 0:
            continue
        lost = num_nodes * _tail(num_nodes - 1, dropouts, k, spare)
        if lost << _LOSS_BITS < comb(num_nodes - 1, k):  # a probability, in integers
            return k
    return num_nodes - 1


@cache
def _half(num_nodes: int, colluders: int, window: int) -> int:
    """c_half: what a window of so many of a node's neighbours holds of colluders at most."""
    draws = comb(num_nodes - 1, window)
    counts = _counts(num_nodes - 1, colluders, window)
    tail, most = 0, len(counts) - 1
    while most > 0 and 2 * num_nodes * (tail + counts[most]) << _CUT_BITS < draws:
        tail += counts[most]
        most -= 1
    return most


def _tail(population: int, marked: int, drawn: int, most: int) -> int:
    """How many of the C(population, drawn) draws hold more than `most` of the marked ones."""
    return sum(_counts(population, marked, drawn)[most + 1 :])


def _counts(population: int, marked: int, drawn: int) -> list[int]:
    """How many of all draws hold 0, 1, 2, ... of the marked ones."""
    others = population - marked
    least = max(0, drawn - others)
    counts = [0] * least
    count = comb(marked, least) * comb(others, drawn - least)
    for found in range(least, min(marked, drawn) + 1):
        counts.append(count)
        count = count * (marked - found) * (drawn - found)
        count //= (found + 1) * (others - drawn + found + 1)
    return counts


class Graph:
    """The neighbours of every position of a roster: 0 to n - 1, in the roster's order."""

    def __init__(self, num_nodes: int, degree: int, seed: bytes) -> None:
        """Take a degree that `is_degree` allows, and H(graph | ctx2) as the seed of the order."""
        self.num_nodes = num_nodes
        self.degree = degree
        self._order: tuple[int, ...] = ()
        self._place: dict[int, int] = {}
        if degree < num_nodes - 1:
            self._order = tuple(sorted(range(num_nodes), key=lambda p: _rank(seed, p)))
            self._place = {position: place for place, position in enumerate(self._order)}

    def neighbours(self, position: int) -> tuple[int, ...]:
        """The neighbours of a position in rising order; never itself."""
        if not self._order:
            return tuple(p for p in range(self.num_nodes) if p != position)
        place, half = self._place[position], self.degree // 2
        around = (*range(place - half, place), *range(place + 1, place + half + 1))
        return tuple(sorted(self._order[p % self.num_nodes] for p in around))

    def holders(self, position: int) -> tuple[int, ...]:
        """Who holds shares of this position's secrets: its neighbours and itself, rising."""
        return tuple(sorted((*self.neighbours(position), position)))


def _rank(seed: bytes, position: int) -> bytes:
    return hashlib.blake2b(position.to_bytes(4, "little"), key=seed, digest_size=32).digest()


def encode_set(positions: Iterable[int]) -> bytes:
    """The one form in which a set of positions is hashed: rising, four bytes each."""
    return b"".join(position.to_bytes(4, "little") for position in sorted(positions))
