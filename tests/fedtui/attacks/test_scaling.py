"""Scaling: a multiple, which can replace the model."""

import numpy as np
import pytest

from fedtui.attacks.scaling import Scaling


def test_a_multiple_is_sent(rng: np.random.Generator) -> None:
    update = rng.standard_normal(100).astype(np.float32)
    np.testing.assert_array_equal(Scaling(3.0).update(update, rng), 3 * update)


def test_a_factor_of_the_number_of_nodes_replaces_the_model(rng: np.random.Generator) -> None:
    wanted = rng.standard_normal(50).astype(np.float32)
    sent = [np.zeros(50, np.float32)] * 9 + [Scaling(10.0).update(wanted, rng)]
    np.testing.assert_allclose(np.mean(sent, axis=0), wanted, rtol=1e-6)


@pytest.mark.parametrize("factor", [0, -1, 1e5, float("nan")])
def test_a_factor_that_means_nothing_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="0 < factor"):
        Scaling(factor)
