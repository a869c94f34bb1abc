"""Nearest-neighbour mixing before a robust rule (Allouah et al. 2023, arXiv:2302.01772, alg. 2).

Each update becomes the mean of the N - F updates nearest to it, itself among them, where F are
reckoned bad. Updates of unlike nodes come together, so a robust rule keeps more of what only few
nodes know, and bad updates are drawn to the honest ones: its guarantee becomes the best possible.

The trap: it needs all distances, so it works on what is seen one by one (nodes or groups), and it
bounds nothing by itself: the mean after it is moved as far as somebody likes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fedtui.aggregators.base import num_bad, squared_distances

if TYPE_CHECKING:
    from fedtui.aggregators.base import Products, Shares


def neighbours(products_NN: Products, bad: float) -> Shares:
    """N x N: row i has equal shares for the N - F nearest to update i, nearest first in order.

    Of equally near ones those that come first in the order are taken.
    """
    num = len(products_NN)
    near = num - num_bad(bad, num)
    order_NN = np.argsort(squared_distances(products_NN), axis=1, kind="stable")
    shares_NN = np.zeros((num, num))
    np.put_along_axis(shares_NN, order_NN[:, :near], 1.0 / near, axis=1)
    return shares_NN
