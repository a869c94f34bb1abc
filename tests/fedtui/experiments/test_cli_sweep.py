import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from fedtui.experiments import sweep as sweeping
from fedtui.experiments.cli_sweep import sweep
from fedtui.experiments.sweep import Swept

PLAN = """
[federation]
name = "x"
[task]
name = "digits"
[selection]
minimum = 3
[rounds]
maximum = 2
[population]
nodes = 5
"""

app = typer.Typer()
app.command("sweep")(sweep)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "plan.toml").write_text(PLAN)
    (tmp_path / "rates.toml").write_text('[grid]\n"training.learning_rate" = [0.05, 0.1]\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("done", "status", "words"),
    [
        (Swept(finished=["a"]), 0, ""),
        (Swept(failed={"a": "no data"}), 1, "failed: a: no data"),
        (Swept(stopped=["a"]), 130, "1 runs are not finished; the same command goes on"),
    ],
)
def test_the_status_says_how_it_went(
    folder: Path, monkeypatch: pytest.MonkeyPatch, done: Swept, status: int, words: str
) -> None:
    asked = []

    async def ran(wanted: object, out: Path, _say: object) -> Swept:
        asked.append((wanted, out))
        return done

    monkeypatch.setattr(sweeping, "run", ran)
    found = CliRunner().invoke(app, ["rates.toml", "--jobs", "7", "--json"], standalone_mode=False)
    assert found.return_value == status
    assert words in found.stderr
    assert json.loads(found.stdout)["finished"] == done.finished
    ((wanted, out),) = asked
    assert (wanted.jobs, len(wanted.cells), out) == (7, 2, Path("rates"))


@pytest.mark.slow
def test_a_real_sweep_ends_with_a_table_and_a_picture(folder: Path) -> None:
    found = CliRunner().invoke(app, ["rates.toml", "--out", "here"], standalone_mode=False)
    assert found.return_value == 0, found.output
    assert "learning_rate=0.05" in found.stdout
    assert (folder / "here" / "comparison.svg").is_file()
    again = CliRunner().invoke(app, ["rates.toml", "--out", "here"], standalone_mode=False)
    assert "2 of 2 runs are finished already" in again.stderr
    assert again.stdout == found.stdout
