"""What a sum of discrete Gaussians from many nodes hides, next to one continuous Gaussian.

Two steps, each near to exact from LEAST_SIGMA steps of sigma at every node on:

A sum of n independent discrete Gaussians of sigma is near a discrete one of sqrt(n) * sigma
(Kairouz, Liu and Steinke, ICML 2021, arXiv:2102.06387, Theorem 1): no probability differs by more
than a factor exp(`tau`) in any coordinate.

A discrete Gaussian is near what somebody makes of a continuous one, who knows nothing but that:
whoever is given a Gaussian of variance S**2 - s**2 and rounds it at random, by a discrete Gaussian
of s around it, has a discrete Gaussian of S (Peikert, CRYPTO 2010, Theorem 3.1), but for a factor
exp(`rounding`) in any coordinate. So the sum tells no more than a continuous Gaussian that is
smaller by sqrt(1 - (s / S)**2): that is what `as_continuous` gives, for any number of values.

With SPARE = s = 2 steps both factors are below 1 + 1e-33: nothing is left of them.
"""

from __future__ import annotations

import math

from fedtui.errors import LocalProtocolError

LEAST_SIGMA = 16.0
"""Steps of the noise of each node, wherever it is accounted for as below."""
SPARE = 2.0
_TAU_FROM = 0.5  # what the theorem holds from


def tau(sigma: float, num_nodes: int) -> float:
    """By how much a log-probability of the sum can differ, of `num_nodes` at `sigma` steps each.

    Raises:
        LocalProtocolError: sigma is below 0.5, or there is no node.
    """
    if not _TAU_FROM <= sigma < math.inf or num_nodes < 1:
        raise LocalProtocolError(f"no bound is known for noise of {sigma} steps")
    turns = 2 * math.pi**2 * sigma**2
    return 10 * math.fsum(math.exp(-turns * k / (k + 1)) for k in range(1, num_nodes))


def rounding(spare: float) -> float:
    """By how much a log-probability can differ through rounding at random by `spare` steps.

    Twice the bound of Peikert's lemma, which is 2 * exp(-2 * pi**2 * spare**2) and a rest that is
    far less, on both sides.
    """
    return 8 * math.exp(-2 * math.pi**2 * spare**2)


def as_continuous(noise: float, num_nodes: int, sigma: float = LEAST_SIGMA) -> float:
    """The noise multiplier of a continuous Gaussian that hides no more than these nodes' sum.

    `noise` is that of the sum; each of `num_nodes` adds `sigma` steps or more.

    Raises:
        LocalProtocolError: the sum has no more than SPARE steps.
    """
    whole = sigma * math.sqrt(num_nodes)
    if not whole > SPARE:
        raise LocalProtocolError(f"noise of {whole} steps is too coarse to be accounted for")
    return noise * math.sqrt(1 - (SPARE / whole) ** 2)
