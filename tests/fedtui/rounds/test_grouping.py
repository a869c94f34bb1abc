"""How many groups must stay: a majority, and what the rule can do with."""

from typing import Any

import msgspec
import pytest

from fedtui.rounds import grouping, masking
from fedtui.rounds.plan import Plan, check


def plan(aggregator: str = "mean", count: int = 12, group: int | None = 3, **more: Any) -> Plan:
    privacy = {"group": group} | more.pop("privacy", {})
    given = {
        "federation": {"name": "f"},
        "task": {"name": "digits"},
        "aggregator": {"name": aggregator} | more.pop("aggregator", {}),
        "selection": {"minimum": count, "count": count},
        "privacy": {key: value for key, value in privacy.items() if value is not None},
    }
    return msgspec.convert(given | more, Plan)


@pytest.mark.parametrize(
    ("rule", "num", "enough"),
    [
        ("mean", 3, 2),
        ("mean", 4, 3),
        ("mean", 9, 5),
        ("median", 3, 3),
        ("median", 4, 3),
        ("krum", 5, 5),
        ("krum", 9, 5),
        ("bulyan", 7, 7),
        ("bulyan", 3, 3),  # it fits none of these
    ],
)
def test_enough_is_a_majority_that_the_rule_can_do_with(rule: str, num: int, enough: int) -> None:
    assert grouping.enough(plan(rule), num) == enough


def test_without_groups_there_is_one() -> None:
    assert grouping.enough(plan(group=None), 1) == 1


@pytest.mark.parametrize("rule", ["mean", "median", "trimmed_mean", "geometric_median"])
@pytest.mark.parametrize("group", [3, 4])
def test_groups_let_a_robust_rule_work_under_masks(rule: str, group: int) -> None:
    assert check(plan(rule, group=group)) == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (plan("median", group=None), "set [privacy] group"),
        (plan(count=8), "group = 3: the 8 nodes that take part make 2 groups, 3 are needed"),
        (plan(privacy={"colluders": 2}), "with 2 colluders a sum needs 4 nodes of a group"),
        (plan(privacy={"minimum": 4}), "group = 3 is too small: with 1 colluders a sum needs 4"),
        (plan(privacy={"dropouts": 1}), "dropouts = 1 is for one cohort"),
        (plan("krum"), "krum needs at least 5 updates"),
        (plan("krum"), "4 groups in a round of 12 nodes with [privacy] group = 3"),
        (plan("bulyan", count=18), "6 groups in a round of 18 nodes"),
        (plan(privacy={"updates": "visible"}), "group = 3 is for masked updates"),
    ],
)
def test_numbers_that_do_not_fit_are_said_with_a_cure(bad: Plan, said: str) -> None:
    found = check(bad)
    assert any(said in one for one in found), found


@pytest.mark.parametrize("group", [0, 1, 2, 65])
def test_groups_hide_three_nodes_at_least(group: int) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"privacy\.group"):
        plan(group=group)


@pytest.mark.parametrize(
    ("group", "colluders", "least", "losses"), [(3, 1, 3, 0), (5, 1, 4, 1), (8, 1, 5, 3)]
)
def test_the_numbers_of_a_group(group: int, colluders: int, least: int, losses: int) -> None:
    numbers = masking.numbers(plan(group=group, count=3 * group), 3 * group)
    assert (numbers.group, numbers.colluders, numbers.minimum) == (group, colluders, least)
    assert group - numbers.least_of_group == losses
    assert numbers.roster == 3 * group


def test_held_out_sums_are_no_smaller_than_those_of_a_group() -> None:
    for invited in range(6, 40):
        numbers = masking.numbers(plan(group=5, count=20), invited, "evaluation")
        assert not numbers.group
        assert numbers.minimum >= 4
        assert numbers.minimum >= invited / 2
