from two_nodes import AFTER_FEDAVG, TwoNodes

from fedtui.strategies.fedprox import FedProx


def test_two_nodes_by_hand() -> None:
    """With mu = 1 the gradients are 2w - 1 and 2w + 3: one step of 1/2 ends at 1/2 and -3/2."""
    model = TwoNodes(FedProx(mu=1.0)).round()
    assert model == (0.5 - 1.5) / 2
    assert model != AFTER_FEDAVG
