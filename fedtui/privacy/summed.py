"""What a sum of discrete Gaussians from many nodes hides, next to one discrete Gaussian.

A sum of n independent discrete Gaussians of sigma is not quite a discrete Gaussian of
sqrt(n) * sigma, but near it (Kairouz, Liu and Steinke, ICML 2021, "The Distributed Discrete
Gaussian Mechanism", arXiv:2102.06387, Theorem 1): no probability differs by more than a factor
exp(`tau`) in any coordinate, and sums of D coordinates whose true values differ by at most
sqrt(n) * sigma / z in length are (epsilon**2 / 2)-concentrated differentially private with

    epsilon = min(sqrt(1 / z**2 + tau * D / 2), 1 / z + tau * sqrt(D))

From 3 steps of sigma at each node on, tau is below 1e-36, and nothing is left of it.
"""

from __future__ import annotations

import math

from fedtui.errors import LocalProtocolError

LEAST_SIGMA = 0.5  # what the theorem holds from


def tau(sigma: float, num_nodes: int) -> float:
    """By how much a log-probability of the sum can differ, of `num_nodes` at `sigma` steps each.

    Raises:
        LocalProtocolError: sigma is below LEAST_SIGMA, or there is no node.
    """
    if not LEAST_SIGMA <= sigma < math.inf or num_nodes < 1:
        raise LocalProtocolError(f"no bound is known for noise of {sigma} steps")
    turns = 2 * math.pi**2 * sigma**2
    return 10 * math.fsum(math.exp(-turns * k / (k + 1)) for k in range(1, num_nodes))


def multiplier(noise: float, sigma: float, num_nodes: int, num_values: int) -> float:
    """The noise multiplier of one Gaussian that hides no more than these nodes' sum does.

    `noise` is sqrt(num_nodes) * sigma over the largest length, both in steps; the sum has
    `num_values` coordinates. What is returned is at most `noise`, and meant for Renyi accounting.

    Raises:
        LocalProtocolError: as `tau`.
    """
    apart = tau(sigma, num_nodes)
    together = math.sqrt(noise**-2 + apart * num_values / 2)
    return 1 / min(together, 1 / noise + apart * math.sqrt(num_values))
