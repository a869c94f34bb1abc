"""Feature shift: the form stays, each node differs, and each kind does what it says."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedtui.learning.data import DataError
from fedtui.simulation.population import ShiftSection
from fedtui.simulation.shift import _rotated, shifted

NAMES = ["brightness", "contrast", "noise", "rotation", "calibration"]
DTYPES = [np.uint8, np.int16, np.int64, np.float16, np.float32, np.float64]


def images(num: int = 50) -> np.ndarray:
    """Grey pictures of 8 by 8 with values 60 to 180, as floats."""
    return np.random.default_rng(4).uniform(60, 180, (num, 8, 8))


@given(
    st.sampled_from(NAMES),
    st.sampled_from(DTYPES),
    st.sampled_from([(16,), (4, 4), (5, 3), (1, 6, 6), (3, 4, 7)]),
    st.integers(1, 5),
    st.floats(0.01, 1),
    st.integers(0, 2**53),
    st.integers(0, 9999),
    st.data(),
)
def test_form_stays_the_input_is_left_alone_and_it_repeats(
    name: str, dtype: type, shape: tuple, num: int, strength: float, seed: int, node: int, data
) -> None:
    elements = {"min_value": 0, "max_value": 120}
    x = data.draw(hnp.arrays(dtype, (num, *shape), elements=elements))
    kept = x.copy()
    section = ShiftSection(name=name, strength=strength)
    seen = shifted(x, section, seed, node)
    assert (seen.shape, seen.dtype) == (x.shape, x.dtype)
    assert np.isfinite(seen).all()
    assert np.array_equal(x, kept)
    assert np.array_equal(seen, shifted(x, section, seed, node))
    if name != "calibration":
        assert x.min() <= seen.min() <= seen.max() <= x.max()


def test_without_a_shift_nothing_is_touched_or_copied() -> None:
    x = images()
    assert shifted(x, ShiftSection(), 1, 0) is x
    assert shifted(x, ShiftSection(name="noise", strength=0), 1, 0) is x
    assert shifted(x[:0], ShiftSection(name="noise"), 1, 0).shape == (0, 8, 8)


@pytest.mark.parametrize("name", NAMES)
def test_every_node_and_every_seed_sees_something_else(name: str) -> None:
    x, section = images(), ShiftSection(name=name, strength=1.0)
    seen = [shifted(x, section, seed, node) for seed in (1, 2) for node in range(5)]
    assert not any(np.array_equal(a, b) for a, b in combinations([x, *seen], 2))


@pytest.mark.parametrize("name", NAMES)
def test_more_strength_changes_more(name: str) -> None:
    x = images()

    def change(strength: float) -> float:
        section = ShiftSection(name=name, strength=strength)
        return float(np.mean([np.abs(shifted(x, section, 1, n) - x).mean() for n in range(20)]))

    assert 0 < change(0.05) < change(0.5)


def test_brightness_adds_the_same_to_every_pixel_within_its_bounds() -> None:
    x = images()
    span = x.max() - x.min()
    added = []
    for node in range(200):
        seen = shifted(x, ShiftSection(name="brightness", strength=0.2), 1, node)
        inside = (seen > x.min()) & (seen < x.max())
        by = (seen - x)[inside]
        np.testing.assert_allclose(by, by[0])
        added.append(by[0] / span)
    assert -0.2 <= min(added) < -0.18
    assert 0.18 < max(added) <= 0.2
    assert np.mean(added) == pytest.approx(0, abs=5 * 0.2 / np.sqrt(3 * 200))


def test_contrast_keeps_the_mean_and_scales_what_differs_from_it() -> None:
    x = images()
    x[0, 0, :2] = (-1000, 1240)  # so that nothing else is clipped
    factors = []
    for node in range(200):
        seen = shifted(x, ShiftSection(name="contrast", strength=0.5), 1, node)
        by = ((seen - x.mean()) / (x - x.mean()))[1:]
        np.testing.assert_allclose(by, by[0, 0, 0])
        factors.append(by[0, 0, 0])
    assert 0.5 <= min(factors) < 0.55
    assert 1.8 < max(factors) <= 2.0


def test_noise_has_a_level_for_each_node() -> None:
    x = np.full((2000, 4), 50.0)
    x[0] = (0, 100, 0, 100)
    levels = [
        (shifted(x, ShiftSection(name="noise", strength=0.2), 1, node) - x)[1:].std()
        for node in range(40)
    ]
    assert max(levels) < 0.2 * 100 / 2 * 1.05
    assert np.mean(levels) == pytest.approx(5, abs=5 * 10 / np.sqrt(12 * 40))


def test_rotation_agrees_with_quarter_turns() -> None:
    x = images()
    for quarters in (1, 2, 3):
        turned = _rotated(x, quarters * np.pi / 2)
        np.testing.assert_array_equal(turned, np.rot90(x, quarters, axes=(1, 2)))
    flat = _rotated(x.reshape(50, 64), np.pi / 2)
    np.testing.assert_array_equal(flat.reshape(50, 8, 8), np.rot90(x, 1, axes=(1, 2)))
    channels = _rotated(x[:, None], np.pi)
    np.testing.assert_array_equal(channels[:, 0], x[:, ::-1, ::-1])


def test_corners_that_rotate_into_view_get_the_lowest_value() -> None:
    x = images()
    turned = _rotated(x, np.pi / 4)
    corners = turned[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == x.min()).all()


def test_calibration_is_a_line_for_each_feature_of_its_own() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal([0, 1000, 3], [1, 50, 0], (500, 3))
    seen = shifted(x, ShiftSection(name="calibration", strength=0.3), 1, 0)
    lines = [np.polyfit(x[:, i], seen[:, i], 1) for i in (0, 1)]
    for (gain, offset), i in zip(lines, (0, 1), strict=True):
        np.testing.assert_allclose(seen[:, i], gain * x[:, i] + offset)
        assert 0.7 <= gain <= 1.3
        assert abs(offset) <= 0.3 * x[:, i].std() * 1.001
    assert lines[0][0] != lines[1][0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [np.array([["a", "b"]]), np.array([[1.0, np.nan]])])
def test_inputs_that_are_no_numbers_are_refused(name: str, bad: np.ndarray) -> None:
    with pytest.raises(DataError, match="finite numbers"):
        shifted(bad, ShiftSection(name=name), 1, 0)


def test_only_images_can_be_rotated() -> None:
    with pytest.raises(DataError, match="no images"):
        shifted(np.ones((3, 63)), ShiftSection(name="rotation"), 1, 0)


@pytest.mark.parametrize("dtype", [np.int8, np.uint64, np.int64])
def test_whole_numbers_never_wrap_round(dtype: type) -> None:
    info = np.iinfo(dtype)
    x = np.array([[info.max, info.max], [info.max // 2, info.max // 3]], dtype)
    for node in range(20):
        seen = shifted(x, ShiftSection(name="calibration", strength=1.0), 1, node)
        assert (seen[0] >= seen[1]).all()  # no gain is below 0, so the order stays


@pytest.mark.parametrize("name", ["brightness", "contrast", "calibration"])
def test_whole_numbers_are_rounded(name: str) -> None:
    whole, section = images().astype(np.uint8), ShiftSection(name=name)
    exact = shifted(whole.astype(np.float32), section, 1, 0)
    assert np.abs(shifted(whole, section, 1, 0) - np.clip(exact, 0, 255)).max() <= 0.5
