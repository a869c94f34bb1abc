"""`fedtui-simulate leak` as people type it: what it writes, what it ends with, what it refuses."""

import json
from pathlib import Path

import pytest

from fedtui.errors import ExitCode
from fedtui.experiments import cli
from fedtui.experiments.leaking import Leaks

PLAN = '[federation]\nname = "f"\n[task]\nname = "digits"\n'
QUICK = ("--repetitions", "1", "--members", "2", "--steps", "20", "--epsilon", "8")


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def leak(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["fedtui-simulate", "leak", *map(str, arguments)])
    monkeypatch.setattr("signal.signal", lambda _number, _handler: None)
    return cli.run_command()


def test_it_writes_pictures_and_one_json_object(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "pictures"
    assert leak(monkeypatch, plan, *QUICK, "--pictures", folder, "--json") == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert {*found} == {"drill"}
    assert found["drill"]["repetitions"] == 1
    assert {one.name for one in folder.iterdir()} == {"leak.png", "leak.svg"}
    assert "repetition 1 of 1" in err
    assert {*Leaks.__struct_fields__} == {"drill", "seized"}


def test_a_drill_that_proves_nothing_ends_with_1(
    plan: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan.write_text(PLAN + 'options = { model = "cnn" }\n')
    assert leak(monkeypatch, plan, *QUICK, "--examples", "8", "--steps", "1") == 1
    assert "proves nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), ExitCode.USAGE, "name a plan"),
        (("--seized", ".", "--pictures", "x"), ExitCode.USAGE, "needs a plan"),
        (("plan.toml", "--epsilon", "0"), ExitCode.USAGE, "must be above 0"),
        (("plan.toml", "--epsilon", "nan"), ExitCode.USAGE, "must be above 0"),
        (("plan.toml", "--delta", "1"), ExitCode.USAGE, "between 0 and 1"),
        (("none.toml",), ExitCode.BAD_CONFIG, "none.toml"),
        (("--seized", "nowhere"), ExitCode.MISSING_INPUT, "no coordinator's directory"),
        (("plan.toml", "--members", "1000"), ExitCode.BAD_CONFIG, "this drill needs 11000"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    arguments: tuple[str, ...],
    status: ExitCode,
    said: str,
    plan: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(plan.parent)
    assert leak(monkeypatch, *arguments) == status
    assert said in capsys.readouterr().err
    assert [one.name for one in plan.parent.iterdir()] == ["plan.toml"]
