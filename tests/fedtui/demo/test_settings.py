"""What the demo is asked for, and the plan that follows."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from fedtui.demo.running import specs_of
from fedtui.demo.settings import DEFAULTS, Settings, SettingsError
from fedtui.rounds.plan import Plan, check

MINE = '[federation]\nname = "mine"\n[task]\nname = "digits"\n'
MASKED = '[privacy]\nupdates = "masked"'


def plan_of(settings: Settings) -> Plan:
    return msgspec.convert(tomllib.loads(settings.plan_toml()), Plan)


@pytest.mark.parametrize("task", DEFAULTS)
@pytest.mark.parametrize(
    ("nodes", "visible"), [(1, True), (2, True), (4, True), (3, False), (4, False), (64, False)]
)
def test_every_plan_of_the_demo_holds_together(task: str, nodes: int, visible: bool) -> None:
    settings = Settings(task=task, nodes=nodes, seed=7, rounds=3, visible=visible)  # type: ignore[arg-type] # a key
    plan = plan_of(settings)
    assert check(plan) == []
    assert plan.masked is not visible
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
        ({"nodes": 2}, "masks hide an update in a sum of 3 nodes or more.* --visible"),
        ({"nodes": 65}, "from 1 to 64"),
        ({"rounds": 0}, "--rounds is 0"),
        ({"plan": Path("/nowhere/plan.toml")}, "--plan: there is no /nowhere/plan.toml"),
        ({"split": "nope"}, "--split: split 'nope' is not known: use iid, dirichlet:0.5"),
        ({"split": "dirichlet:x"}, "--split: split 'dirichlet:x' needs a number"),
        ({"split": "/nowhere.npz"}, "--split: there is no /nowhere.npz"),
        ({"target": 2.0}, "--target is 2: give an accuracy"),
        ({"plan": Path("/"), "rounds": 3}, "--rounds is in the plan"),
        ({"plan": Path("/"), "target": 0.5}, "--target is in the plan"),
        ({"plan": Path("/"), "visible": True}, "--visible is in the plan"),
        ({"plan": Path("/")}, "--plan: / cannot be read"),
        ({"model": "cnn"}, "--model cnn is for --task fashion_mnist"),
        ({"initial": Path("/nowhere")}, "--initial: there is no /nowhere"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(options: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Settings(**options)  # type: ignore[arg-type]  # each value fits its key


def test_an_output_that_exists_is_found_before_anything_is_started(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match="exists and was left as it is: give another --out"
    ) as e:
        Settings(out=tmp_path)
    assert e.value.exit_code == 73
    assert Settings(out=tmp_path / "new" / "model").out == tmp_path / "new" / "model"
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"nothing can be written into .*/file"):
        Settings(out=tmp_path / "file" / "model")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (MINE + "[evaluation]\nwith_evaluator = true\n", True),
        (MINE + "[evaluation]\nwith_evaluator = false\n", False),
        (MINE, False),
        (MINE + "[evaluation]\nwith_evaluator = 3\n", False),
        ("x = = 1\n", False),
    ],
)
def test_a_plan_says_whether_there_is_an_evaluator(
    tmp_path: Path, text: str, *, wanted: bool
) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(text)
    assert Settings(plan=file).with_evaluator is wanted
    labels = [spec.label for spec in specs_of(Settings(plan=file, nodes=3))]
    assert ("evaluator" in labels) is wanted


@pytest.mark.parametrize(
    "says",
    ["[rounds]\nstart_with = 4\n", "[selection]\nminimum = 4\n", "[privacy]\nminimum = 4\n"],
)
def test_a_plan_that_would_wait_for_ever_is_refused(tmp_path: Path, says: str) -> None:
    file = tmp_path / "plan.toml"
    masked = "" if "privacy" in says else "[privacy]\n"
    file.write_text(f"{MINE}{masked}{says}".replace("[privacy]", MASKED))
    with pytest.raises(SettingsError, match=r"--nodes is 3: the first round of .* waits for 4"):
        Settings(plan=file, nodes=3)
    assert Settings(plan=file, nodes=4).nodes == 4


@pytest.mark.parametrize("updates", ["visible", "masked"])
def test_nodes_agree_to_be_read_only_where_the_user_asked_for_it(
    tmp_path: Path, updates: str
) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(f'{MINE}[privacy]\nupdates = "{updates}"\n[evaluation]\nwith_evaluator = true')
    for settings in (
        Settings(plan=file),
        Settings(task="fashion_mnist", visible=updates == "visible"),
    ):
        options = {spec.options for spec in specs_of(settings)}
        assert options == ({("--visible",)} if updates == "visible" else {()})


def test_the_remedy_is_a_command_of_the_demo(tmp_path: Path) -> None:
    assert Settings(task="fashion_mnist").remedy == (
        "fedtui-demo --task fashion_mnist --data FOLDER"
    )
    (tmp_path / "split.npz").touch()
    split = Settings(split=str(tmp_path / "split.npz"))
    assert split.remedy == "fedtui-demo --task digits --split FILE.npz"


@pytest.mark.parametrize("split", ["iid", "dirichlet:0.5", "shards:2", "quantity:1.0"])
def test_splits_that_are_known_are_taken(split: str) -> None:
    assert Settings(split=split).split == split


def test_a_plan_of_a_simulation_is_served_without_its_population(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(f"{MINE}[population]\nnodes = 50\n")
    settings = Settings(plan=path)
    assert settings.plan_toml() == MINE
    assert "[population]" in settings.left_out
    path.write_text(MINE)
    assert Settings(plan=path).left_out == ""
