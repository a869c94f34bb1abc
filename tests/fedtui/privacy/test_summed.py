"""Sums of discrete Gaussians against the same probabilities, added up one by one."""

import math
import statistics

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


def rounded(sigma: float, spare: float, center: float) -> np.ndarray:
    """A continuous Gaussian of `sigma` around `center`, rounded at random by `spare`."""
    fine = np.linspace(-12 * sigma, 12 * sigma, 40_001)
    weights = np.exp(-(fine**2) / (2 * sigma**2))
    weights /= weights.sum()
    values = np.arange(-REACH, REACH + 1.0)
    found = np.zeros(len(values))
    for at in range(0, len(fine), 1000):
        apart = values[:, None] - (fine[at : at + 1000] + center)[None, :]
        density = np.exp(-(apart**2) / (2 * spare**2))
        found += (density / density.sum(axis=0)) @ weights[at : at + 1000]
    return found


@pytest.mark.parametrize("spare", [0.5, 0.6, 0.8, 1.0, 2.0])
@pytest.mark.parametrize("whole", [3.0, 5.0])
def test_that_a_rounded_gaussian_is_a_discrete_one(spare: float, whole: float) -> None:
    made = rounded(math.sqrt(whole**2 - spare**2), spare, 3.0)
    wanted = np.roll(pmf(whole**2), 3)
    near = wanted > 1e-10
    apart = np.abs(np.log(made[near] / wanted[near])).max()
    assert apart <= summed.rounding(spare) + 1e-7


@pytest.mark.parametrize("num_nodes", [2, 5, 9])
@pytest.mark.parametrize("sigma", [1.7, 3.0, 5.0])
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.5, 1.0])
def test_N5_a_sum_shows_no_more_than_the_gaussian_that_is_said(
    num_nodes: int, sigma: float, epsilon: float
) -> None:
    """Delta at this epsilon, of sums that differ by two steps, added up one by one."""
    each = sum_of(num_nodes, sigma)
    moved = np.roll(each, 2)
    shown = float(np.maximum(each - math.exp(epsilon) * moved, 0).sum())
    told = summed.as_continuous(math.sqrt(num_nodes) * sigma / 2, num_nodes, sigma)
    normal = statistics.NormalDist()
    limit = normal.cdf(1 / (2 * told) - epsilon * told)
    limit -= math.exp(epsilon) * normal.cdf(-1 / (2 * told) - epsilon * told)
    assert shown <= limit + summed.tau(sigma, num_nodes) + summed.rounding(summed.SPARE) + 1e-12


def test_that_nothing_is_left_of_both_at_the_least_steps() -> None:
    assert summed.tau(summed.LEAST_SIGMA, 1000) < 1e-36
    assert summed.rounding(summed.SPARE) < 1e-33
    assert summed.as_continuous(1.1, 2) == pytest.approx(1.1, rel=5e-3)
    assert summed.as_continuous(1.1, 100) == pytest.approx(1.1, rel=1e-4)


def test_that_coarse_noise_counts_for_less() -> None:
    assert summed.as_continuous(1.0, 2, 2.0) < 0.8
    assert summed.tau(0.6, 1) == 0
    with pytest.raises(LocalProtocolError, match="too coarse"):
        summed.as_continuous(1.0, 4, 1.0)


@pytest.mark.parametrize(("sigma", "num_nodes"), [(0.4, 2), (math.nan, 2), (math.inf, 2), (1, 0)])
def test_that_nothing_is_said_where_nothing_is_known(sigma: float, num_nodes: int) -> None:
    with pytest.raises(LocalProtocolError):
        summed.tau(sigma, num_nodes)
