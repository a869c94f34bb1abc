"""The noise of a drill against Google's dp-accounting and against drawn noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.leakage import noise


@pytest.mark.parametrize(
    ("multiplier", "epsilon"),
    [(0.5, 9.997256146892605), (1.0, 4.377178095934823), (3.0, 1.271087767040158)],
)
def test_epsilon_is_that_of_dp_accounting(multiplier: float, epsilon: float) -> None:
    """pld.from_gaussian_mechanism(multiplier).get_epsilon_for_delta(1e-5), version 0.6."""
    assert noise.multiplier_for(epsilon, 1e-5) == pytest.approx(multiplier, rel=1e-6)


@given(st.floats(0.01, 1e5), st.floats(1e-12, 0.1))
def test_the_noise_is_just_enough(epsilon: float, delta: float) -> None:
    found = noise.multiplier_for(epsilon, delta)
    assert noise.delta_of(epsilon, found) == pytest.approx(delta, rel=1e-4)
    assert noise.delta_of(epsilon, found * 0.99) > delta


@pytest.mark.parametrize(
    ("epsilon", "delta"), [(0, 1e-5), (-1, 1e-5), (float("inf"), 1e-5), (1, 0), (1, 1)]
)
def test_nonsense_is_refused(epsilon: float, delta: float) -> None:
    with pytest.raises(ValueError, match="epsilon must be"):
        noise.multiplier_for(epsilon, delta)


def test_clipping_shortens_only_what_is_longer() -> None:
    assert np.linalg.norm(noise.clipped(np.array([3.0, 4.0]), 1.0)) == pytest.approx(1.0)
    assert noise.clipped(np.array([3.0, 4.0]), 6.0).tolist() == [3.0, 4.0]
