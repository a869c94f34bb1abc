import pytest
from two_nodes import AFTER_FEDAVG, TwoNodes

from fedtui.strategies.qfedavg import QFedAvg


def test_two_nodes_by_hand() -> None:
    """q = 1, L = 2; losses at 0: 0.5 and 4.5; changes 0.75 and -2.25.

    Sent: 0.375 and -10.125. h: 2 * 0.5625 + 0.5 = 1.625 and 2 * 5.0625 + 4.5 = 14.625.
    """
    model = TwoNodes(QFedAvg(q=1.0)).round()
    assert model == pytest.approx((0.375 - 10.125) / (1.625 + 14.625), rel=1e-6)
    assert model != AFTER_FEDAVG


def test_with_q_0_it_is_fedavg() -> None:
    assert TwoNodes(QFedAvg(q=0.0)).round() == AFTER_FEDAVG


def test_a_loss_of_nothing_is_no_end() -> None:
    both = TwoNodes(QFedAvg(q=0.5))
    both.vector[:] = 1.0  # node 1 is at its optimum
    assert both.round() < 1.0
