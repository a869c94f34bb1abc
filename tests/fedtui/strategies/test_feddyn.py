import numpy as np
from two_nodes import AFTER_FEDAVG, TwoNodes

from fedtui.strategies.base import Cohort, State
from fedtui.strategies.feddyn import FedDyn


def test_two_nodes_by_hand() -> None:
    both = TwoNodes(FedDyn(alpha=1.0))
    # Gradients 2w - 1 and 2w + 3: to 0.5 and -1.5. h = 0.5, so w = -0.5 - 0.5.
    assert both.round() == -1.0 != AFTER_FEDAVG
    assert [held["gradient"].tolist() for held in both.held] == [[-0.5], [1.5]]
    # Gradients 2w + 0.5 and 2w + 2.5: to -0.25 and -1.25. h = 0.5 - 0.25; w = -0.75 - 0.25.
    assert both.round() == -1.0
    assert [held["gradient"].tolist() for held in both.held] == [[-1.25], [1.75]]
    assert both.state == State({"h": np.array([0.25])})


def test_h_counts_those_who_did_not_take_part() -> None:
    strategy = FedDyn(alpha=1.0, population=8)
    model, state = strategy.apply(
        np.zeros(1, np.float32), np.ones(1), State({"h": np.zeros(1)}), Cohort(2)
    )
    assert state.vectors["h"].tolist() == [-0.25]
    assert model.tolist() == [1.25]
