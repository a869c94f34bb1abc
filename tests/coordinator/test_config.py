from pathlib import Path

import pytest

from coordinator import config
from coordinator.config import CoordinatorConfig
from coordinator.layout import Layout
from fedtui.tomlfile import ConfigError

PLAN = """
[federation]
name = "f"
[task]
name = "digits"
"""


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "coordinator.toml").write_text("")
    assert config.load(Layout(tmp_path)) == CoordinatorConfig()


def test_a_plan_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    assert config.load_plan(path).federation.name == "f"


def test_all_conflicts_of_a_plan_are_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(
        PLAN.replace("digits", "nosuch")
        + "metric = 'beauty'\n[selection]\nname = 'oracle'\ncount = 1\nminimum = 5\n"
        + "[privacy]\nupdates = 'visible'\n"
    )
    with pytest.raises(ConfigError) as caught:
        config.load_plan(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert all(line.startswith(f"{path}: [") for line in lines)


def test_a_wrong_value_of_a_plan_is_found_by_line(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN + "[training]\nepochs = 0\n")
    with pytest.raises(ConfigError, match=r"line 7: \[training\] epochs: Expected `int` >= 1"):
        config.load_plan(path)


@pytest.mark.parametrize(
    ("metric", "target", "says"),
    [
        ("accuracy", "95", "= 95: accuracy is at most 1, so write 0.95 for 95 %"),
        ("accuracy", "1.0001", "accuracy is at most 1"),
        ("r2", "2", "r2 is at most 1"),
        ("rmse", "-1", "rmse is never below 0"),
        ("loss", "nan", "write a number that a round can reach"),
        ("accuracy", "inf", "write a number that a round can reach"),
    ],
)
def test_a_target_that_no_round_can_reach_is_refused(
    tmp_path: Path, metric: str, target: str, says: str
) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(f"{PLAN}metric = '{metric}'\n[rounds]\ntarget = {target}\n")
    with pytest.raises(ConfigError, match=rf"\[rounds\] target.*{says}"):
        config.load_plan(path)


@pytest.mark.parametrize(
    ("metric", "target"), [("accuracy", 1.0), ("r2", -3.0), ("rmse", 95.0), ("loss", 0.0)]
)
def test_a_target_that_can_be_reached(tmp_path: Path, metric: str, target: float) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(f"{PLAN}metric = '{metric}'\n[rounds]\ntarget = {target}\n")
    assert config.load_plan(path).rounds.target == target


def test_every_limit_is_explained_with_its_default() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    defaults = config.LimitsSection()
    for name in defaults.__struct_fields__:
        assert f"| `{name}` | {getattr(defaults, name):g} | " in text


@pytest.mark.parametrize(
    "address", ["lab", "lab:8443", "192.168.1.2", "10.0.0.1:1", "[fd00::1]", "[fd00::1]:8443"]
)
def test_addresses_for_invites(tmp_path: Path, address: str) -> None:
    (tmp_path / "coordinator.toml").write_text(f'[invites]\naddresses = ["{address}"]\n')
    assert config.load(Layout(tmp_path)).invites.addresses == (address,)


@pytest.mark.parametrize("address", ["", "fd00::1", "http://lab", "a b", "lab:", "lab:x"])
def test_what_is_no_address_is_refused(tmp_path: Path, address: str) -> None:
    (tmp_path / "coordinator.toml").write_text(f'[invites]\naddresses = ["{address}"]\n')
    with pytest.raises(ConfigError, match="is not an address: write"):
        config.load(Layout(tmp_path))
