"""Backdoor: patch and label go together, on as many examples as asked."""

import numpy as np
import pytest

from fedtui.attacks.backdoor import Backdoor
from fedtui.learning.data import DataError


def pictures(rng: np.random.Generator, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.uniform(-1, 1, (40, *shape)).astype(np.float32), rng.integers(1, 10, 40)


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (3, 8, 8), (64,)])
def test_patched_pictures_are_called_the_target_and_the_others_stay(
    shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    x, y = pictures(rng, *shape)
    seen, called = Backdoor(target=0, fraction=0.25, size=2).examples(x, y, 10, rng)
    poisoned = called == 0
    assert poisoned.sum() == 10
    assert np.array_equal(seen[~poisoned], x[~poisoned])
    assert np.array_equal(called[~poisoned], y[~poisoned])
    changed = (seen != x)[poisoned].reshape(10, -1, 8, 8)
    corner = np.zeros((8, 8), bool)
    corner[6:, 6:] = True
    assert not changed[..., ~corner].any()
    patch = seen[poisoned].reshape(10, -1, 8, 8)[..., corner]
    assert (patch == x.max()).all()


def test_all_pictures_can_be_triggered_to_measure_by(rng: np.random.Generator) -> None:
    x, _ = pictures(rng, 8, 8)
    seen = Backdoor(size=3).triggered(x, 5.0)
    assert (seen[:, 5:, 5:] == 5).all()
    assert np.array_equal(seen[:, :5], x[:, :5])
    assert x.max() < 5


def test_other_examples_are_poisoned_in_other_rounds(rng: np.random.Generator) -> None:
    x, y = pictures(rng, 8, 8)
    one, two = (Backdoor().examples(x, y, 10, rng)[1] for _ in range(2))
    assert not np.array_equal(one, two)


def test_one_example_is_enough(rng: np.random.Generator) -> None:
    x, y = pictures(rng, 8, 8)
    assert Backdoor(fraction=0.01).examples(x[:1], y[:1], 10, rng)[1].tolist() == [0]


def test_the_update_is_boosted(rng: np.random.Generator) -> None:
    update = rng.standard_normal(9).astype(np.float32)
    np.testing.assert_array_equal(Backdoor(boost=4).update(update, rng), 4 * update)
    np.testing.assert_array_equal(Backdoor().update(update, rng), update)


def test_what_it_cannot_poison_is_refused(rng: np.random.Generator) -> None:
    x, y = pictures(rng, 8, 8)
    with pytest.raises(DataError, match="no class 10 of 10"):
        Backdoor(target=10).examples(x, y, 10, rng)
    with pytest.raises(DataError, match="no class 0 of 0"):
        Backdoor().examples(x, y, 0, rng)
    with pytest.raises(DataError, match="no images"):
        Backdoor().examples(x.reshape(40, 64)[:, :63], y, 10, rng)
    with pytest.raises(DataError, match="does not fit"):
        Backdoor(size=9).examples(x, y, 10, rng)


@pytest.mark.parametrize(
    "options", [{"target": -1}, {"fraction": 0}, {"fraction": 1.1}, {"size": 0}, {"boost": 0}]
)
def test_options_that_mean_nothing_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Backdoor(**options)
