"""`model export` and `predict`: nothing is overwritten, nothing is guessed."""

from pathlib import Path

import pytest

from node import cli, last_model
from node.paths import Profile


def fedtui(*arguments: str) -> int:
    return cli._run(["--profile", "p", *arguments])


def test_an_existing_file_is_kept_unless_forced(
    home: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m"
    out.write_text("mine")
    monkeypatch.setattr(last_model, "export", lambda home, path: "a model")
    assert fedtui("model", "export", "--out", str(out)) == 73
    assert out.read_text() == "mine"
    assert fedtui("model", "export", "--out", str(out), "--force") == 0


def test_without_a_model_the_code_is_66(
    home: Profile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fedtui("model", "export", "--out", str(tmp_path / "m")) == 66
    assert "no committed model" in capsys.readouterr().err
    (tmp_path / "x.csv").write_text("1\n")
    assert fedtui("predict", str(tmp_path / "x.csv")) == 66


def test_a_missing_input_is_66(home: Profile) -> None:
    assert fedtui("predict", "/nonexistent") == 66
