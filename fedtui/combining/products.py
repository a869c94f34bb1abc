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

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from fedtui.aggregators.base import Products

SPAN = 2**11
BITS = 21


def of_chunk(rows_NC: npt.NDArray[np.float32]) -> Products:
    """<u_i, u_j> over one chunk that begins at a multiple of SPAN, for all pairs, N x N."""
    num, length = rows_NC.shape
    products_NN = np.zeros((num, num))
    for first in range(0, length, SPAN):
        span_NS = rows_NC[:, first : first + SPAN].astype(np.float64)
        largest_N = np.abs(span_NS).max(axis=1)
        _, exponents_N = np.frexp(largest_N)  # largest = m * 2**e with m < 1
        whole_NS = np.rint(np.ldexp(span_NS, (BITS - exponents_N)[:, None]))
        exact_NN = whole_NS @ whole_NS.T
        scales_N = exponents_N - BITS
        products_NN += np.ldexp(exact_NN, scales_N[:, None] + scales_N[None, :])
    return products_NN
