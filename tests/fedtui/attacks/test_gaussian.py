"""Gaussian: noise of the right size that owes nothing to the update."""

import numpy as np
import pytest

from fedtui.attacks.gaussian import Gaussian


def test_noise_with_the_right_deviation_is_sent(rng: np.random.Generator) -> None:
    update = np.full(10_000, 7, np.float32)
    sent = Gaussian(3.0).update(update, rng)
    assert sent.mean() == pytest.approx(0, abs=5 * 3 / 100)
    assert sent.std() == pytest.approx(3, rel=5 / np.sqrt(2 * 10_000))


def test_what_was_learned_does_not_matter() -> None:
    one, two = (
        Gaussian().update(np.full(9, value, np.float32), np.random.default_rng(1))
        for value in (0, 5)
    )
    assert np.array_equal(one, two)


@pytest.mark.parametrize("sigma", [0, -1, 1e7, float("nan")])
def test_a_sigma_that_means_nothing_is_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match="0 < sigma"):
        Gaussian(sigma)
