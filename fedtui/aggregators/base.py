"""What an aggregator is: it makes one update of the updates of a cohort.

It gets the updates of exactly the surviving participants, or the means of their groups: finite and
below `VALUE_LIMIT` of fedtui.wire.tensors in magnitude. Nobody ever holds N whole models in
memory, so a rule says how it works in two steps, of which most have one only:

    shares   from the inner products of all updates (N x N: lengths and distances), which M updates
             to go on with, each a mix of those that came; if it is one, that is the result
    combine  chunk by chunk, the one value for each coordinate of the M updates

A plan may ask for nearest-neighbour mixing before (fedtui/combining/neighbours.py): a rule does
not know of it. Nothing may depend on the order of the updates, not in one bit: participants arrive
in any order, and equal seeds give equal models.

A rule that `weighs` counts an update by its weight (an integer from 1), which its node may have
made up. All others give each update one vote: claiming many examples moves nothing.

Shapes: `update_C` is float32 or float64 of C values, a chunk of one update; the chunks of all
updates cover the same values. `products_NN` is float64, symmetric: products[i, j] = <u_i, u_j>.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Chunk: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Combined: TypeAlias = npt.NDArray[np.float64]
Products: TypeAlias = npt.NDArray[np.float64]
Shares: TypeAlias = npt.NDArray[np.float64]

_FRACTION_BITS = 52


class View(Enum):
    """What an aggregator must see; plan.check refuses one that sees more than the plan allows."""

    SUM = "sums of updates"
    GROUPS = "sums of groups of updates"
    EACH = "each single update"


class Aggregator:
    """One rule, a frozen dataclass of its options that overrides `combine`, `shares` or both.

    `by_products`: `shares` needs the inner products of all updates, so these are read twice.
    `guided`: update 0 of those that `shares` gets is of the node whose fingerprint is the rule's
    option `root`, and is trusted (rounds/guiding.py).
    """

    __slots__ = ()

    view: ClassVar[View] = View.GROUPS
    weighs: ClassVar[bool] = False
    by_products: ClassVar[bool] = False
    guided: ClassVar[bool] = False

    def misfit(self, num_updates: int) -> str:  # noqa: ARG002
        """What the rule needs instead of so many updates, such as "at least 5"; empty if it fits.

        It ends a sentence: "krum needs ...".
        """
        return ""

    def for_round(self, num_updates: int) -> Aggregator:  # noqa: ARG002
        """The rule for a round of exactly so many updates, before its other methods are called.

        For one whose `combine` must know how many there were before `shares` picked some.
        """
        return self

    def shares(self, products_NN: Products) -> Shares:
        """The M updates to go on with, M x N: update m is the sum over n of share[m, n] * u_n.

        Shares are at least 0, and those of a row add up to 1 at most. With more rows than one the
        shares of a row are equal where they are not 0. The updates come in an order that follows
        from what they hold, so ties may be broken by it.
        """
        return np.eye(len(products_NN))

    def combine(self, updates: Iterable[Chunk], weights: Sequence[int]) -> Combined:
        """The same chunk of every update becomes one chunk, float64; each is read once, in turn.

        Of mixed updates all weights are 1. Not called where `shares` has one row.

        Raises:
            ValueError: no update, or not as many as weights.
        """
        raise NotImplementedError


def weighted_sum(updates: Iterable[Chunk], shares: Sequence[float]) -> Combined:
    """The sum of share * update, to the same bits in any order; see mean.py.

    The shares are at least 0 and add up to 1 at most. The updates are read one after the other,
    each once, so they may come from one buffer.

    Raises:
        ValueError: no update, or not as many as shares.
    """
    sum_C: npt.NDArray[np.int64] | None = None
    for update_C, share in zip(updates, shares, strict=True):
        scale = np.float64(share * 2.0**_FRACTION_BITS)
        term_C = np.multiply(update_C, scale, dtype=np.float64)
        np.rint(term_C, out=term_C)
        if sum_C is None:
            sum_C = term_C.astype(np.int64)
        else:
            np.add(sum_C, term_C.astype(np.int64), out=sum_C)
    if sum_C is None:
        raise ValueError("a sum needs at least one update")
    summed_C = sum_C.astype(np.float64)
    summed_C *= 2.0**-_FRACTION_BITS
    return summed_C


def sorted_columns(updates: Iterable[Chunk], weights: Sequence[int]) -> Chunk:
    """Of each coordinate the values of all updates, in order: C x N. Sorted along N: it is fast.

    Raises:
        ValueError: no update, or not as many as weights.
    """
    rows = list(updates)
    if not rows or len(rows) != len(weights):
        raise ValueError(f"{len(rows)} updates and {len(weights)} weights: nothing to combine")
    values_CN: Chunk = np.stack(rows, axis=1)  # type: ignore[assignment]  # all of one kind
    values_CN.sort(axis=1)
    return values_CN


def num_bad(bad: float, num_updates: int) -> int:
    """How many of the updates are reckoned bad: `bad` of them, or below 1 that share; at least 1.

    A share is rounded down: of 7 updates a fifth are bad, so one is.
    """
    return int(bad) if bad >= 1 else max(1, int(bad * num_updates + 1e-9))


def check_bad(bad: object, most: float) -> None:
    """Refuse what is no whole number from 1 and no share above 0 and up to `most`.

    Raises:
        TypeError, ValueError: it is none.
    """
    if isinstance(bad, bool) or not isinstance(bad, int | float):
        raise TypeError(f"bad is {bad!r}, expected a number")
    if not (0 < bad <= most or (bad >= 1 and float(bad).is_integer())):
        raise ValueError(
            f"bad is {bad:g}, expected how many updates may be bad (1, 2, ...), or which share of "
            f"them (above 0, at most {most:g})"
        )


def check_whole(low: int, value: object, high: int, name: str) -> None:
    """Refuse an option that is no whole number from `low` to `high`.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}, expected a whole number from {low} to {high}")


def mixed_products(products_NN: Products, shares_MN: Shares) -> Products:
    """The inner products of mixed updates, M x M: shares times products times shares."""
    mixed: Products = shares_MN @ products_NN @ shares_MN.T
    return mixed


def squared_distances(products_NN: Products) -> Products:
    """|u_i - u_j|**2 of all pairs, N x N: at least 0, and exactly 0 on the diagonal."""
    squares_N = np.diagonal(products_NN)
    distances_NN = squares_N[:, None] + squares_N[None, :] - 2 * products_NN
    np.maximum(distances_NN, 0, out=distances_NN)
    np.fill_diagonal(distances_NN, 0)
    return distances_NN


def distances_to(products_NN: Products, shares_N: Shares) -> npt.NDArray[np.float64]:
    """|v - u_i| of every update, where v is the sum of share_j * u_j; float64 of N."""
    along_N = products_NN @ shares_N
    squares_N = np.diagonal(products_NN) - 2 * along_N + shares_N @ along_N
    far_N: npt.NDArray[np.float64] = np.sqrt(np.maximum(squares_N, 0))
    return far_N
