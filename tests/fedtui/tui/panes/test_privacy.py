"""Privacy: what is said of noise, with and without a budget of the node's own."""

import pytest
from textual.content import Content

from fedtui.status import Budget, NodeStatus, Privacy
from fedtui.tui.panes.privacy import _epsilon, _epsilon_whole

NOISE = "nodes add noise together"
SPENT = Budget(epsilon=1.234, delta=1e-5, noise=2.0, num_releases=3, cap=4.0, rounds_left=7)


def rows(status: NodeStatus) -> list[tuple[str, str]]:
    return [(Content(piece.text).plain, piece.style) for piece in _epsilon(status)]


@pytest.mark.parametrize(
    ("status", "short", "whole"),
    [
        (NodeStatus(), ["ε off", "no noise added"], "ε off: no noise added, no budget claimed"),
        (
            NodeStatus(privacy=Privacy(noise=NOISE)),
            ["ε not known yet", NOISE],
            f"ε: {NOISE}; what was spent is not known yet",
        ),
        (
            NodeStatus(privacy=Privacy(noise=NOISE), budget=SPENT),
            ["ε 1.23 of 4 (here)", "7 rounds left"],
            "ε: epsilon 1.23 of the 4 that you allow spent, by 3 updates, at delta 1e-05; "
            "7 rounds left (here)",
        ),
        (
            NodeStatus(privacy=Privacy(noise=NOISE), budget=Budget(epsilon=0.5, delta=1e-5)),
            ["ε 0.5 (here)", NOISE],
            "ε: epsilon 0.5 spent, by 0 updates, at delta 1e-05; no cap (here)",
        ),
    ],
)
def test_noise_and_what_was_spent(status: NodeStatus, short: list[str], whole: str) -> None:
    assert [text for text, _ in rows(status)] == short
    assert _epsilon_whole(status) == whole


def test_a_budget_that_is_used_up_is_red() -> None:
    over = Budget(epsilon=4.0, delta=1e-5, num_releases=9, cap=4.0, rounds_left=0)
    assert {style for _, style in rows(NodeStatus(budget=over))} == {"bold $alarm"}
