from two_nodes import AFTER_FEDAVG, TwoNodes

from fedtui.strategies.ditto import Ditto
from fedtui.strategies.fedavg import FedAvg


def test_two_nodes_by_hand() -> None:
    both = TwoNodes(Ditto(lam=1.0), steps=(2, 2))
    # v: gradients 2v - 1 and 2v + 3, so from 0 one step of 1/2 to 0.5 and -1.5, where they stay.
    assert both.round() == AFTER_FEDAVG
    assert [held["personal"].tolist() for held in both.held] == [[0.5], [-1.5]]
    # w = -0.75. v: gradients 2v - 1 + 0.75 and 2v + 3 + 0.75, to 0.125 and -1.875.
    both.round()
    assert [held["personal"].tolist() for held in both.held] == [[0.125], [-1.875]]


def test_a_weak_pull_lets_a_model_go_on_from_where_it_was() -> None:
    both = TwoNodes(Ditto(lam=0.5), steps=(1, 1))
    # v: from 0 along -1 and 3, as v - w is 0: to 0.5 and -1.5. w = (0.5 - 1.5) / 2.
    assert both.round() == -0.5
    assert [held["personal"].tolist() for held in both.held] == [[0.5], [-1.5]]
    # v: 0.5 along -0.5 + 0.5 * 1, that is 0; -1.5 along 1.5 - 0.5 * 1, that is 1.
    both.round()
    assert [held["personal"].tolist() for held in both.held] == [[0.5], [-2.0]]


def test_what_leaves_is_what_leaves_under_plain_averaging() -> None:
    plain, both = TwoNodes(FedAvg(), steps=(3, 2)), TwoNodes(Ditto(lam=0.3), steps=(3, 2))
    for _ in range(4):
        assert plain.round() == both.round()
