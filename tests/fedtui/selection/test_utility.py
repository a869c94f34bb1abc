"""Utility: whose data teach most and who is fast comes first, and everybody is tried."""

from collections import Counter

import numpy as np
import pytest

from fedtui.plugins import PluginError, build
from fedtui.selection.base import Candidate
from fedtui.selection.utility import Utility


def known(number: int, *, loss: float | None = 1.0, seconds: float = 1.0, **more) -> Candidate:
    return Candidate(
        bytes([number]) * 32,
        num_picked=1,
        num_counted=1,
        last_round=more.pop("last_round", 5),
        num_examples=100,
        loss=loss,
        seconds=seconds,
        **more,
    )


def often(rule: Utility, present: list[Candidate], size: int, number: int = 6) -> Counter[int]:
    """How often each is picked in 300 draws."""
    found: Counter[int] = Counter()
    for seed in range(300):
        picked = rule.pick(present, size, np.random.default_rng(seed), number)
        found.update(node[0] for node in picked)
    return found


def test_a_greater_loss_comes_first() -> None:
    present = [known(n, loss=0.01) for n in range(8)] + [known(n, loss=5.0) for n in (8, 9)]
    assert often(Utility(), present, 2) == {8: 300, 9: 300}


def test_a_slow_node_needs_more_to_teach() -> None:
    present = [known(n) for n in range(9)] + [known(9, seconds=10.0)]
    assert often(Utility(), present, 5)[9] == 0
    assert often(Utility(penalty=0), present, 5)[9] > 100
    missed = [known(n) for n in range(9)] + [known(9, missed=True)]
    assert often(Utility(), missed, 5)[9] == 0


def test_who_has_waited_long_is_worth_more() -> None:
    present = [known(n, last_round=99) for n in range(9)] + [known(9, loss=0.99, last_round=1)]
    assert often(Utility(), present, 1, number=100)[9] == 300


def test_a_part_of_each_cohort_is_new_nodes_less_and_less() -> None:
    present = [known(n) for n in range(20)] + [Candidate(bytes([n]) * 32) for n in range(20, 40)]

    def num_new(number: int) -> int:
        picked = Utility().pick(present, 10, np.random.default_rng(1), number)
        return sum(node[0] >= 20 for node in picked)

    assert [num_new(number) for number in (1, 30, 200)] == [9, 5, 2]


def test_one_huge_claim_counts_no_more_than_the_quantile() -> None:
    """A liar's chance is bounded by the others' figures, however much it claims."""
    present = [known(n, loss=1.0) for n in range(20)] + [known(20, loss=1e300)]
    rule = Utility(cutoff=0.0)
    assert often(rule, present, 1)[20] < 60


@pytest.mark.parametrize("options", [{"explore": 1.1}, {"cutoff": -0.1}, {"penalty": 11}])
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(PluginError, match="expected"):
        build("selection", "utility", **options)


def test_it_needs_what_only_visible_updates_tell() -> None:
    assert Utility().reads_losses
