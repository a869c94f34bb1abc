import pytest
from two_nodes import AFTER_FEDAVG, TwoNodes

from fedtui.strategies.fedbuff import FedBuff


def test_two_nodes_by_hand() -> None:
    """From 0 the nodes come to 0.75 and -2.25; the second update is three rounds late.

    It counts 1 / sqrt(1 + 3) = 1/2: the mean is (0.75 - 1.125) / 2 = -0.1875, divided by both.
    """
    assert TwoNodes(FedBuff(), behind=(0, 3)).round() == -0.1875
    assert TwoNodes(FedBuff(server_learning_rate=2.0), behind=(0, 3)).round() == -0.375
    # An exponent of 1: a quarter, so (0.75 - 0.5625) / 2.
    assert TwoNodes(FedBuff(exponent=1.0), behind=(0, 3)).round() == 0.09375
    # Weights of 1 and 3 stay what they are: (0.75 - 3 * 1.125) / 4.
    assert TwoNodes(FedBuff(), behind=(0, 3), examples=(1, 3)).round() == -0.65625


def test_in_time_it_is_fedavg() -> None:
    assert TwoNodes(FedBuff()).round() == AFTER_FEDAVG


@pytest.mark.parametrize("options", [{"exponent": 0}, {"server_learning_rate": 11}])
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        FedBuff(**options)
