"""`fedtui-simulate drill` as people type it: what it prints, what it refuses."""

import json
from pathlib import Path

import pytest

from fedtui.errors import ExitCode
from fedtui.experiments import cli

PLAN = """\
[federation]
name = "drilled"
[task]
name = "digits"
[training]
steps = 1
[evaluation]
with_evaluator = true
[rounds]
maximum = 1
[privacy]
updates = "visible"
[population]
nodes = 4
"""


def drill(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["fedtui-simulate", "drill", *map(str, arguments)])
    monkeypatch.setattr("signal.signal", lambda _number, _handler: None)
    return cli.run_command()


def test_it_prints_one_json_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    chosen = ("--attacks", "sign_flip, free_rider", "--bad", "0.25", "--json")
    assert drill(monkeypatch, plan, *chosen) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [one["attack"] for one in found["outcomes"]] == ["", "sign_flip", "free_rider"]
    assert (found["num_bad"], found["num_nodes"]) == (1, 4)
    assert "mean: sign_flip ..." in err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), ExitCode.USAGE, "plan"),
        (("p.toml", "--bad", "1"), ExitCode.USAGE, "between 0 and 1"),
        (("p.toml", "--bad", "nan"), ExitCode.USAGE, "between 0 and 1"),
        (("p.toml", "--beside", "median"), ExitCode.USAGE, "is not: mean"),
        (("p.toml", "--attacks", "sign_flop"), ExitCode.USAGE, "there are: backdoor, free_rider"),
        (("none.toml",), ExitCode.BAD_CONFIG, "none.toml"),
    ],
)
def test_what_is_refused(
    arguments: tuple[str, ...],
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert drill(monkeypatch, *arguments) == status
    assert said in " ".join(capsys.readouterr().err.split())
