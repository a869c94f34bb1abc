"""What the demo is asked for, and the plan that follows."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from fedtui.demo.settings import DEFAULTS, Settings, SettingsError
from fedtui.rounds.plan import Plan, check


def plan_of(settings: Settings) -> Plan:
    return msgspec.convert(tomllib.loads(settings.plan_toml()), Plan)


@pytest.mark.parametrize("task", DEFAULTS)
@pytest.mark.parametrize("nodes", [1, 2, 4, 9])
def test_every_plan_of_the_demo_holds_together(task: str, nodes: int) -> None:
    settings = Settings(task=task, nodes=nodes, seed=7, rounds=3)  # type: ignore[arg-type] # a key
    plan = plan_of(settings)
    assert check(plan) == []
    assert (plan.seed, plan.rounds.maximum, plan.rounds.start_with) == (7, 3, nodes)
    assert plan.selection.minimum <= nodes


def test_an_evaluator_measures_fashion_mnist_and_nodes_hold_nothing_out() -> None:
    plan = plan_of(Settings(task="fashion_mnist", model="cnn"))
    assert plan.evaluation.with_evaluator
    assert plan.evaluation.held_out == 0.0
    assert plan.task.options == {"model": "cnn"}


def test_a_plan_of_the_users_own_is_taken_word_by_word(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text("# mine\n")
    assert Settings(plan=file).plan_toml() == "# mine\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nodes": 0}, "--nodes is 0"),
        ({"nodes": 65}, "from 1 to 64"),
        ({"rounds": 0}, "--rounds is 0"),
        ({"plan": Path("/nowhere/plan.toml")}, "--plan: there is no /nowhere/plan.toml"),
        ({"split": "nope"}, "--split: split 'nope' is not known: use iid, dirichlet:0.5"),
        ({"split": "dirichlet:x"}, "--split: split 'dirichlet:x' needs a number"),
        ({"split": "/nowhere.npz"}, "--split: there is no /nowhere.npz"),
        ({"target": 2.0}, "--target is 2: give an accuracy"),
        ({"plan": Path("/"), "rounds": 3}, "in the plan"),
        ({"initial": Path("/nowhere")}, "--initial: there is no /nowhere"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(options: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Settings(**options)  # type: ignore[arg-type]  # each value fits its key


@pytest.mark.parametrize("split", ["iid", "dirichlet:0.5", "quantity:1.0"])
def test_splits_that_are_known_are_taken(split: str) -> None:
    assert Settings(split=split).split == split
