"""The inner products of all updates of a round, chunk by chunk, to the same bits in any order.

A sum of floating-point products depends on its order, and BLAS takes another for every processor,
shape and number of threads. So the values of a span of SPAN are written as integers of BITS bits
and a power of two that is the update's own: the products of two spans are sums of integers below
2**53, exact whatever their order. The spans are added up in float64, one after the other.

A value is off by 2**-BITS of the largest in its span at most, up or down alike: of updates with
10**6 values of like size the products are right to about nine digits. An update with huge values
spoils its own precision only.

Shapes: `_NC` is one chunk of C float32 values of each of N updates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from fedtui.aggregators.base import Products

SPAN = 2**11
BITS = 21
_TILE = 32  # rows and columns at a time, and _DEEP values: no more than BLAS does on one thread
_DEEP = 256
Whole: TypeAlias = npt.NDArray[np.float64]


def of_chunk(rows_NC: npt.NDArray[np.float32]) -> Products:
    """<u_i, u_j> over one chunk that begins at a multiple of SPAN, for all pairs, N x N."""
    num, length = rows_NC.shape
    products_NN = np.zeros((num, num))
    for first in range(0, length, SPAN):
        span_NS = rows_NC[:, first : first + SPAN]
        _, exponents_N = np.frexp(np.abs(span_NS).max(axis=1))  # largest = m * 2**e with m < 1
        scales_N = np.ldexp(1.0, BITS - exponents_N)
        whole_NS = np.multiply(span_NS, scales_N[:, None], dtype=np.float64)
        np.rint(whole_NS, out=whole_NS)
        products_NN += _squared(whole_NS) / np.outer(scales_N, scales_N)
    return products_NN


def _squared(whole_NS: Whole) -> Whole:
    """The products of all pairs of rows; half of them are made."""
    num = len(whole_NS)
    upper_NN = np.zeros((num, num))
    for row in range(0, num, _TILE):
        tile = slice(row, row + _TILE)
        upper_NN[tile, row:] = exact_product(whole_NS[tile], whole_NS[row:].T)
    upper_NN = np.triu(upper_NN)
    return upper_NN + np.triu(upper_NN, 1).T


def exact_product(left_MK: Whole, right_KC: Whole) -> Whole:
    """The product of matrices of whole numbers, whose sums stay within 2**53: exact.

    In tiles, as BLAS would wake threads of its own for a large product, and its caller has some.
    """
    (num_rows, depth), num_columns = left_MK.shape, right_KC.shape[1]
    made_MC = np.zeros((num_rows, num_columns))
    for row in range(0, num_rows, _TILE):
        for column in range(0, num_columns, _TILE):
            tile_TT = made_MC[row : row + _TILE, column : column + _TILE]
            for at in range(0, depth, _DEEP):
                left = left_MK[row : row + _TILE, at : at + _DEEP]
                tile_TT += left @ right_KC[at : at + _DEEP, column : column + _TILE]
    return made_MC
