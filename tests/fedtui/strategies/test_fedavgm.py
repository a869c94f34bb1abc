import pytest
from two_nodes import AFTER_FEDAVG, TwoNodes

from fedtui.strategies.fedavgm import FedAvgM


def test_two_nodes_by_hand() -> None:
    both = TwoNodes(FedAvgM(momentum=0.5))
    assert both.round() == AFTER_FEDAVG
    # From -0.75 the nodes come to 0.5625 and -2.4375: a mean update of -0.1875. The velocity is
    # 0.5 * -0.75 - 0.1875 = -0.5625.
    assert both.round() == -0.75 - 0.5625
    assert both.state is not None
    assert both.state.vectors["velocity"].tolist() == [-0.5625]


def test_without_momentum_it_is_fedavg() -> None:
    both = TwoNodes(FedAvgM(momentum=0.0, server_learning_rate=1.0))
    assert [both.round(), both.round()] == [-0.75, -0.9375]


@pytest.mark.parametrize(
    "options", [{"momentum": 1.0}, {"momentum": -0.1}, {"server_learning_rate": 0}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        FedAvgM(**options)
