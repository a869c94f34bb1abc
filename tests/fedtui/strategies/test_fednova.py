import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from two_nodes import TwoNodes

from fedtui.strategies.fedavg import FedAvg
from fedtui.strategies.fednova import FedNova, length
from fedtui.strategies.fedprox import FedProx


def test_two_nodes_by_hand() -> None:
    """Node 1: 3 examples, 2 steps, to 0.75, so 0.375 a step. Node 2: 1 example, 1 step, -1.5.

    The mean length is 0.75 * 2 + 0.25 * 1, the mean direction 0.75 * 0.375 - 0.25 * 1.5.
    """
    model = TwoNodes(FedNova(), steps=(2, 1), examples=(3, 1)).round()
    assert model == 1.75 * -0.09375
    assert TwoNodes(FedAvg(), steps=(2, 1), examples=(3, 1)).round() == 0.1875


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("num_steps", [1, 2, 7])
def test_the_length_counts_how_often_each_gradient_is_gone_along(
    num_steps: int, momentum: float
) -> None:
    counts = [sum(momentum**j for j in range(num_steps - i)) for i in range(num_steps)]
    assert length(num_steps, momentum) == pytest.approx(sum(counts))


@given(
    num_steps=st.integers(1, 8),
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    mu=st.sampled_from([0.0, 0.01, 0.3, 3.0]),
)
def test_the_length_is_that_of_the_steps_that_are_taken(
    num_steps: int, momentum: float, mu: float
) -> None:
    """Each gradient alone, through SGD as torch takes it: how far it leads from the beginning."""
    strategy, rate, found = FedNova(mu=mu), 0.5, 0.0
    for at in range(num_steps):
        anchor = param = np.array(2.0)
        speed = np.array(0.0)
        for step in range(num_steps):
            gradient = strategy.correct(np.array(float(step == at)), param, anchor, None)
            speed = momentum * speed + gradient
            param = param - rate * speed
        found += abs(float(anchor - param)) / rate
    assert length(num_steps, momentum, rate * mu) == pytest.approx(found)


def test_without_momentum_the_length_is_the_sum_of_a_series() -> None:
    assert length(5, 0.0, 0.1) == pytest.approx((1 - 0.9**5) / 0.1)


def test_equal_nodes_make_it_fedavg() -> None:
    assert TwoNodes(FedNova()).round() == TwoNodes(FedAvg()).round()


def test_equal_nodes_that_are_pulled_make_it_fedprox() -> None:
    both = [TwoNodes(one, steps=(4, 4)).round() for one in (FedNova(mu=0.3), FedProx(mu=0.3))]
    assert both[0] == pytest.approx(both[1])
    assert both[0] != pytest.approx(TwoNodes(FedAvg(), steps=(4, 4)).round())
