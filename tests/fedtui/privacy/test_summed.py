"""Sums of discrete Gaussians against the same probabilities, added up one by one."""

import math

import numpy as np
import pytest

from fedtui.errors import LocalProtocolError
from fedtui.privacy import summed

REACH = 60


def pmf(variance: float) -> np.ndarray:
    """Of a discrete Gaussian, from -REACH to REACH."""
    density = np.exp(-(np.arange(-REACH, REACH + 1.0) ** 2) / (2 * variance))
    return density / density.sum()


def sum_of(num_nodes: int, sigma: float) -> np.ndarray:
    found = one = pmf(sigma**2)
    for _ in range(num_nodes - 1):
        found = np.convolve(found, one, "same")
    return found


@pytest.mark.parametrize("num_nodes", [2, 3, 5, 8])
@pytest.mark.parametrize("sigma", [0.5, 0.6, 0.8, 1.0, 1.2])
def test_that_no_probability_differs_by_more_than_tau(num_nodes: int, sigma: float) -> None:
    each, whole = sum_of(num_nodes, sigma), pmf(num_nodes * sigma**2)
    near = whole > 1e-12  # farther out float64 has no digits left
    apart = np.abs(np.log(each[near] / whole[near])).max()
    assert apart <= summed.tau(sigma, num_nodes) + 1e-9


@pytest.mark.parametrize("num_nodes", [2, 4])
@pytest.mark.parametrize("sigma", [0.5, 0.7, 1.0, 2.0])
@pytest.mark.parametrize("order", [1.5, 2, 4, 8])
def test_that_the_divergence_is_within_what_is_said(
    num_nodes: int, sigma: float, order: float
) -> None:
    each = sum_of(num_nodes, sigma)
    noise = math.sqrt(num_nodes) * sigma  # values that differ by one step
    moved = np.roll(each, 1)
    near = (each > 1e-13) & (moved > 1e-13)
    total = float((each[near] ** order * moved[near] ** (1 - order)).sum())
    divergence = math.log(total) / (order - 1)
    told = summed.multiplier(noise, sigma, num_nodes, 1)
    assert divergence <= order / (2 * told**2) * (1 + 1e-9)


def test_that_nothing_is_left_of_tau_at_a_few_steps() -> None:
    assert summed.tau(3.0, 1000) < 1e-36
    assert summed.multiplier(1.1, 3.0, 1000, 10**7) == pytest.approx(1.1, rel=1e-12)


def test_that_coarse_noise_counts_for_less() -> None:
    assert summed.multiplier(1.0, 0.6, 10, 1000) < 0.9
    assert summed.tau(0.6, 1) == 0


@pytest.mark.parametrize(("sigma", "num_nodes"), [(0.4, 2), (math.nan, 2), (math.inf, 2), (1, 0)])
def test_that_nothing_is_said_where_nothing_is_known(sigma: float, num_nodes: int) -> None:
    with pytest.raises(LocalProtocolError):
        summed.tau(sigma, num_nodes)
