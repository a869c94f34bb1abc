import numpy as np
import pytest
from two_nodes import AFTER_FEDAVG, TwoNodes

from fedtui.strategies.base import Cohort, State
from fedtui.strategies.fedavg import FedAvg


def test_the_next_model_is_the_mean_of_the_nodes_models() -> None:
    rng = np.random.default_rng(1)
    model = rng.standard_normal(1000).astype(np.float32)
    nodes = rng.standard_normal((3, 1000)).astype(np.float32)
    weights = np.array([1, 5, 2]) / 8
    mean_delta = (weights[:, None] * (nodes.astype(np.float64) - model)).sum(0)
    strategy = FedAvg()
    stepped, state = strategy.apply(model, mean_delta, State(), Cohort())
    np.testing.assert_allclose(stepped, weights @ nodes.astype(np.float64), rtol=1e-6, atol=1e-7)
    assert state == State()


def test_the_rate_scales_the_step() -> None:
    strategy = FedAvg(server_learning_rate=0.5)
    stepped, _ = strategy.apply(np.ones(3, np.float32), np.full(3, 4.0), State(), Cohort())
    assert stepped.tolist() == [3.0] * 3


def test_rounding_happens_once_at_the_end() -> None:
    strategy = FedAvg()
    just_over_half_a_step = np.full(3, 2.0**-24 + 2.0**-50)
    stepped, _ = strategy.apply(np.ones(3, np.float32), just_over_half_a_step, State(), Cohort())
    assert stepped.tolist() == [1 + 2.0**-23] * 3, "a float32 delta would have been a tie"


@pytest.mark.parametrize("rate", [0.0, -1.0, 11.0, float("nan")])
def test_a_rate_that_makes_no_sense_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="expected 0 < server_learning_rate <= 10"):
        FedAvg(server_learning_rate=rate)


def test_two_nodes_by_hand() -> None:
    assert TwoNodes(FedAvg()).round() == AFTER_FEDAVG
