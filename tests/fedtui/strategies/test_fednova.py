import pytest
from two_nodes import TwoNodes

from fedtui.strategies.fedavg import FedAvg
from fedtui.strategies.fednova import FedNova, length


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


def test_equal_nodes_make_it_fedavg() -> None:
    assert TwoNodes(FedNova()).round() == TwoNodes(FedAvg()).round()
