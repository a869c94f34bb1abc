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


@pytest.mark.parametrize("command", [["model", "export"], ["predict", "in.csv"]])
def test_a_place_that_is_none_is_73_and_named(
    home: Profile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("1\n")
    assert fedtui(*command, "--out", "nodir/x") == 73
    said = capsys.readouterr().err
    assert "nodir/x cannot be written" in said
    assert ".tmp" not in said
    assert fedtui(*command, "--out", str(tmp_path), "--force") == 73


def test_predict_overwrites_nothing_and_never_its_input(
    home: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(home: Profile, file: Path, out: Path, **_: object) -> str:
        out.write_text("answers")
        return "1 answer"

    monkeypatch.setattr(last_model, "predict", predict)
    questions, other = tmp_path / "q.csv", tmp_path / "a.jsonl"
    questions.write_text("1\n")
    other.write_text("mine")
    assert fedtui("predict", str(questions), "--out", str(questions)) == 73
    assert fedtui("predict", str(questions), "--out", str(questions), "--force") == 73
    assert questions.read_text() == "1\n"
    assert fedtui("predict", str(questions), "--out", str(other)) == 73
    assert other.read_text() == "mine"
    assert fedtui("predict", str(questions), "--out", str(other), "--force") == 0
    assert other.read_text() == "answers"


def test_a_missing_input_is_66(home: Profile) -> None:
    assert fedtui("predict", "/nonexistent") == 66
