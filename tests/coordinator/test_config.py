from pathlib import Path

import pytest

from coordinator import config
from coordinator.config import CoordinatorConfig
from coordinator.layout import Layout
from coordinator.tomlfile import ConfigError

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
