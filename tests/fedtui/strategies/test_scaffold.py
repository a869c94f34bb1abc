import numpy as np
from two_nodes import AFTER_FEDAVG, TwoNodes

from fedtui.strategies.base import Cohort
from fedtui.strategies.scaffold import Scaffold


def test_two_nodes_by_hand() -> None:
    both = TwoNodes(Scaffold())
    # Without controls yet as FedAvg; K * learning_rate = 1, so each control is minus the change.
    assert both.round() == AFTER_FEDAVG
    assert [held["control"].tolist() for held in both.held] == [[-0.75], [2.25]]
    assert both.carried["control"].tolist() == [0.75]
    # Gradients w - 1 + 0.75 + 0.75 and w + 3 - 2.25 + 0.75: to -0.5625 and -1.3125.
    assert both.round() == -0.9375
    assert [held["control"].tolist() for held in both.held] == [[-1.6875], [2.0625]]
    assert both.carried["control"].tolist() == [0.1875]


def test_it_comes_to_the_optimum_that_fedavg_misses_with_unequal_steps() -> None:
    scaffold = TwoNodes(Scaffold(server_learning_rate=0.5), steps=(2, 1))
    for _ in range(60):
        scaffold.round()
    assert abs(scaffold.vector[0] + 1) < 1e-3


def test_c_counts_those_who_did_not_take_part() -> None:
    control = np.ones(1, np.float32)
    strategy = Scaffold(population=8)
    assert strategy.carry("control", control, np.ones(1), Cohort(2)).tolist() == [1.25]
