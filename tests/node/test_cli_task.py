"""`task add` and `task check`: the file is pinned, the data is tried, nothing is sent."""

import json
from pathlib import Path

import pytest
from fake_trainer import FakeTrainer

from node import alone, cli, jobs
from node import config as configs
from node.paths import Profile


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "mine.py"
    found.write_text("build = object\n")
    return found


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> FakeTrainer:
    found = FakeTrainer()
    monkeypatch.setattr(alone, "TrainerProcess", lambda limits: found)
    return found


def fedtui(*arguments: str) -> int:
    return cli._run(["--profile", "p", *arguments])


def test_add_pins(home: Profile, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fedtui("task", "add", str(file), "--json") == 0
    digest = json.loads(capsys.readouterr().out)["sha256"]
    assert configs.load(home.config).task.sha256 == digest
    assert fedtui("task", "add", "/nonexistent.py") == 66


def test_check_says_what_would_be_sent(
    home: Profile, file: Path, trainer: FakeTrainer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fedtui("task", "check", str(file), "--data", "/d?shard=1/4") == 0
    assert "would send   260 numbers" in capsys.readouterr().out
    (job,) = trainer.done
    assert isinstance(job, jobs.CheckJob)
    assert (job.data.path, job.data.shard, job.data.num_shards) == ("/d", 1, 4)
    assert job.task.file == str(file)
    assert fedtui("task", "check", str(file), "--json") == 0
    assert json.loads(capsys.readouterr().out)["num_examples"] == 4


def test_check_fails_with_the_reason(
    home: Profile, file: Path, trainer: FakeTrainer, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer.failure = "column age: not a number"
    assert fedtui("task", "check", str(file)) == 65
    assert "column age" in capsys.readouterr().err
    trainer.kind = "missing"
    assert fedtui("task", "check", str(file)) == 66
    assert fedtui("task", "check", str(file), "--data", "x?colour=red") == 65
