import math

import pytest
from two_nodes import AFTER_FEDAVG, TwoNodes

from fedtui.strategies.fedopt import FedOpt


@pytest.mark.parametrize(
    ("optimizer", "square"),
    [
        ("adam", 0.5 * 0.25 + 0.5 * 0.5625),
        ("yogi", 0.25 + 0.5 * 0.5625),
        ("adagrad", 0.25 + 0.5625),
    ],
)
def test_two_nodes_by_hand(optimizer: str, square: float) -> None:
    """The mean update is -0.75, its square 0.5625; v begins with tau**2 = 0.25."""
    strategy = FedOpt(optimizer=optimizer, server_learning_rate=1.0, beta1=0.5, beta2=0.5, tau=0.5)
    both = TwoNodes(strategy)
    model = both.round()
    assert model == pytest.approx(0.5 * -0.75 / (math.sqrt(square) + 0.5), rel=1e-6)
    assert model != AFTER_FEDAVG
    assert both.state is not None
    assert both.state.vectors["square"].tolist() == [square]
    assert both.state.vectors["mean"].tolist() == [-0.375]


def test_yogi_lets_go_of_a_large_square_slowly() -> None:
    """v = 1 and an update of -0.75: v - 0.5 * 0.5625, where adam comes to 0.78125."""
    both = TwoNodes(FedOpt(optimizer="yogi", beta2=0.5, tau=1.0))
    both.round()
    assert both.state is not None
    assert both.state.vectors["square"].tolist() == [1 - 0.5 * 0.5625]


def test_adagrad_has_no_momentum_unless_asked() -> None:
    both = TwoNodes(FedOpt(optimizer="adagrad"))
    both.round()
    assert both.state is not None
    assert both.state.vectors["mean"].tolist() == [-0.75]


def test_another_optimizer_is_refused() -> None:
    with pytest.raises(ValueError, match="adam, yogi, adagrad"):
        FedOpt(optimizer="sgd")
