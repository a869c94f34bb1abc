"""Sign flip: the opposite, as strong as asked."""

import numpy as np
import pytest

from fedtui.attacks.sign_flip import SignFlip


@pytest.mark.parametrize("strength", [1.0, 0.5, 4.0])
def test_the_opposite_is_sent(strength: float, rng: np.random.Generator) -> None:
    update = rng.standard_normal(100).astype(np.float32)
    np.testing.assert_array_equal(SignFlip(strength).update(update, rng), -strength * update)


@pytest.mark.parametrize(("strength", "turned"), [(1.0, False), (5.0, True)])
def test_a_fifth_of_the_nodes_turns_the_mean_round_only_with_strength(
    strength: float, turned: bool, rng: np.random.Generator
) -> None:
    honest = np.ones(10, np.float32)
    sent = [honest] * 8 + [SignFlip(strength).update(honest, rng)] * 2
    assert (np.mean(sent) < 0) == turned


@pytest.mark.parametrize("strength", [0, -1, 1001, float("nan")])
def test_a_strength_that_means_nothing_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match="0 < strength"):
        SignFlip(strength)
