"""`plan check` and `plan explain`, on a file and in a coordinator's folder."""

import json
import sys
from pathlib import Path

import pytest

from coordinator import cli, config, plans
from coordinator.exits import Exit
from fedtui.privacy import accounting
from fedtui.rounds.plan import Plan

PLAN = """
[federation]
name = "f"
[task]
name = "digits"
[training]
update_clip = 1.0
[weights]
by = "equal"
[evaluation]
with_evaluator = true
[privacy]
minimum = 5
[rounds]
maximum = 20
[dp]
noise = {noise}
delta = 1e-3
epsilon = 4.0
"""


def run(*arguments: object) -> int:
    return cli._run([str(argument) for argument in arguments])


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.format(noise=4.0))
    return path


def test_a_sound_plan_is_explained(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "explain", plan, "--json") == Exit.OK
    told = json.loads(capsys.readouterr().out)
    assert 0 < told["epsilon_round"] < told["epsilon_total"] <= 4
    assert told["parts"][0]["title"] == "Who can learn what"


def test_all_that_is_wrong_is_said_at_once(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = PLAN.format(noise=1.0).replace('by = "equal"', 'by = "examples"')
    plan.write_text(text.replace("with_evaluator = true", "holdout = 0.1"))
    assert run("plan", "check", plan) == Exit.BAD_CONFIG
    said = capsys.readouterr()
    assert said.out == ""
    for part in ("[weights] by", "[evaluation] holdout", "[dp] noise = 1 is too little"):
        assert part in said.err
    assert said.err.count("\n") == 3


def test_the_noise_that_is_named_is_enough(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan.write_text(PLAN.format(noise=1.0))
    assert run("plan", "check", plan) == Exit.BAD_CONFIG
    enough = capsys.readouterr().err.partition("write noise = ")[2].partition(",")[0]
    plan.write_text(PLAN.format(noise=enough))
    assert run("plan", "check", plan.parent) == Exit.OK
    assert "holds together" in capsys.readouterr().out


def test_a_folder_is_explained_with_its_model(
    tmp_path: Path, plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "fed"
    assert run("init", "--dir", folder, "--plan", plan) == Exit.OK
    capsys.readouterr()
    assert run("plan", "explain", folder) == Exit.OK
    told = capsys.readouterr().out
    assert "the model is not known" not in told
    assert "Warnings" in told
    assert "times as long as any update may be" in told


def test_init_refuses_too_little_noise(
    tmp_path: Path, plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan.write_text(PLAN.format(noise=0.1))
    assert run("init", "--dir", tmp_path / "fed", "--plan", plan) == Exit.BAD_CONFIG
    assert "[dp] noise = 0.1 is too little" in capsys.readouterr().err
    assert not (tmp_path / "fed").exists()


def test_nothing_is_claimed_where_nothing_can_be_worked_out(
    plan: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounting, "_COMMAND", (sys.executable, "-I", "-S", "-c", "raise"))
    assert run("plan", "explain", plan) == Exit.CANNOT_LISTEN
    said = capsys.readouterr()
    assert said.out == ""
    assert "dp-accounting ended" in said.err


def test_a_missing_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "explain", tmp_path / "none.toml") == Exit.BAD_CONFIG
    assert capsys.readouterr().err.count("\n") == 1


def test_a_population_counts_as_nodes(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan.write_text(PLAN.format(noise=4.0) + "[population]\nnodes = 40\n")
    assert run("plan", "check", plan, "--json") == Exit.OK
    assert json.loads(capsys.readouterr().out)["nodes"] == 40
    assert run("plan", "explain", plan, "--json") == Exit.OK
    assert json.loads(capsys.readouterr().out)["cohort"] == 40
    plan.write_text(PLAN.format(noise=4.0) + "[population]\nnodes = 1001\n")
    assert run("plan", "check", plan) == Exit.BAD_CONFIG
    assert "above 1/1001" in capsys.readouterr().err


def test_approved_nodes_count(
    tmp_path: Path, plan: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "_found", lambda where: plans._Found(plan, read(plan), 1001))
    assert run("plan", "check", tmp_path) == Exit.BAD_CONFIG
    assert "above 1/1001" in capsys.readouterr().err
    assert run("plan", "explain", tmp_path) == Exit.OK
    assert "above 1/1001" in capsys.readouterr().out


def read(path: Path) -> Plan:
    return config.load_plan(path)
