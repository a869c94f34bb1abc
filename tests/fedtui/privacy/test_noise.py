"""Clipping and noise of one vector: lengths, spread, and that no two vectors share any."""

import math

import numpy as np
import pytest

from fedtui.errors import LocalProtocolError
from fedtui.privacy import noise
from fedtui.privacy.noise import Central, Grid, Noise, NoiseError

SEED, OTHER = bytes(range(32)), b"\7" * 32
NUM = 150_000  # more than two parts


def update(length: float, num: int = NUM) -> np.ndarray:
    values = np.random.default_rng(3).normal(size=num)
    return (values * (length / np.linalg.norm(values))).astype(np.float32)


def close_to(spread: float, sigma: float, num: int = NUM) -> bool:
    return abs(spread / sigma - 1) < 5 / math.sqrt(2 * num)


def test_that_whole_steps_stay_within_the_clip() -> None:
    step, clip = 0.01, 20.0
    values = update(35.0, 10_000)
    by = noise.shortening(values, clip, step)
    away = np.sign(values) * (np.floor(np.abs(values * by) / step) + 1)  # as far as rounding goes
    assert np.linalg.norm(away) * step <= clip
    assert by * np.linalg.norm(values) == pytest.approx(clip - 100 * step)


def test_that_a_short_update_is_left_alone() -> None:
    assert noise.shortening(update(1.0), 2.0, 1e-6) == 1.0
    assert noise.shortening(np.zeros(10, np.float32), 2.0, 1e-6) == 1.0


@pytest.mark.parametrize("spoilt", [math.nan, math.inf])
def test_that_what_has_no_length_is_refused(spoilt: float) -> None:
    values = update(1.0, 100)
    values[7] = spoilt
    with pytest.raises(NoiseError, match="NaN or Inf"):
        noise.shortening(values, 1.0, 1e-6)


def test_that_steps_as_long_as_the_clip_are_refused() -> None:
    with pytest.raises(NoiseError, match="too large"):
        noise.shortening(update(1.0, 10_000), 1.0, 0.01)


@pytest.mark.parametrize(("length", "left"), [(1.5, 1.5), (50.0, 3.0)])
def test_that_an_update_is_clipped_and_hidden(length: float, left: float) -> None:
    values = update(length)
    hidden = noise.noised(values, Noise(clip=3.0, sigma=0.4), SEED)
    rest = hidden - values * (left / length)
    assert hidden.dtype == np.float32
    assert close_to(rest.std(), 0.4)
    assert abs(rest.mean()) < 5 * 0.4 / math.sqrt(NUM)


def test_that_without_sigma_an_update_is_clipped_only() -> None:
    values = update(50.0)
    made = noise.noised(values, Noise(clip=3.0, sigma=0.0), SEED)
    assert 3.0 * (1 - 1e-5) < np.linalg.norm(made.astype(float)) <= 3.0
    short = update(1.0)
    assert np.array_equal(noise.noised(short, Noise(clip=3.0, sigma=0.0), SEED), short)


def test_that_two_seeds_and_two_parts_share_no_noise() -> None:
    nothing = np.zeros(NUM, np.float32)
    first = noise.noised(nothing, Noise(clip=1.0, sigma=1.0), SEED)
    other = noise.noised(nothing, Noise(clip=1.0, sigma=1.0), OTHER)
    assert np.array_equal(first, noise.noised(nothing, Noise(clip=1.0, sigma=1.0), SEED))
    assert abs(np.corrcoef(first, other)[0, 1]) < 5 / math.sqrt(NUM)
    half = 2**16
    assert abs(np.corrcoef(first[:half], first[half : 2 * half])[0, 1]) < 5 / math.sqrt(half)


def test_that_hidden_values_lie_on_the_grid_of_their_sigma() -> None:
    """Floats that lie finer than the noise would tell what is under it."""
    hidden = noise.noised(update(1.0), Noise(clip=1.0, sigma=0.3), SEED)
    grid = Grid(0.3)
    assert 2**24 <= 0.3 / grid.step <= 2**25
    made = grid.hide(np.array([0.1, 7.123456789e-9]), noise.source(SEED, 0)) / grid.step
    assert np.array_equal(made, np.rint(made))
    steps = hidden[np.abs(hidden) < 0.2].astype(float) / grid.step
    assert np.array_equal(steps, np.rint(steps))


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e300])
def test_that_a_grid_refuses_what_it_cannot_hold(value: float) -> None:
    with pytest.raises(NoiseError):
        Grid(1.0).hide(np.array([value]), noise.source(SEED, 0))


def test_the_noise_of_a_coordinator() -> None:
    central = Central(2.0, 0.05, NUM, SEED)
    mean = np.random.default_rng(1).normal(size=NUM)
    parts = [central.hide(mean[at : at + 50_000], at) for at in range(0, NUM, 50_000)]
    rest = np.concatenate(parts) - mean
    assert close_to(rest.std(), 0.1)
    half = 50_000
    assert abs(np.corrcoef(rest[:half], rest[half : 2 * half])[0, 1]) < 5 / math.sqrt(half)
    again = Central(2.0, 0.05, NUM, OTHER).hide(mean[:half], 0) - mean[:half]
    assert abs(np.corrcoef(rest[:half], again)[0, 1]) < 5 / math.sqrt(half)


def test_that_the_noise_of_a_coordinator_pays_for_the_rounding() -> None:
    """Two means that one node moves apart are, as whole steps, within sigma / z."""
    sensitivity, size = 1e-3, 1_000_000
    grid = Central(1.5, sensitivity, size, SEED)._grid
    sigma = grid._sigma * grid.step
    assert sigma >= 1.5 * (sensitivity + math.sqrt(size) * grid.step)
    assert sigma < 1.5 * sensitivity * 1.001


@pytest.mark.parametrize(
    ("clip", "sigma"), [(0, 1), (-1, 1), (math.nan, 1), (math.inf, 1), (1, -1), (1, math.nan)]
)
def test_that_no_clip_is_refused(clip: float, sigma: float) -> None:
    with pytest.raises(LocalProtocolError):
        Noise(clip=clip, sigma=sigma)
