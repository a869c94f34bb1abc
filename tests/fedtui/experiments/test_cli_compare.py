import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from fedtui.experiments.cli_compare import compare
from fedtui.experiments.disk import RunFolderError

app = typer.Typer()
app.command("compare")(compare)


def test_a_table_a_picture_and_a_csv(
    tmp_path: Path, a_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [str(a_run("a", [0.5], seed=1)), str(a_run("b", [0.7], seed=2))]
    done = CliRunner().invoke(app, [*runs, "--csv", "runs.csv", "--target", "0.6"])
    assert done.exit_code == 0, done.output
    assert "0.6000 (0.5000..0.7000)" in done.stdout
    assert "1 of 2" in done.stdout
    assert (tmp_path / "comparison.png").is_file()
    assert (tmp_path / "comparison.svg").is_file()
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 3


def test_json_is_all_that_goes_to_stdout(a_run: Callable[..., Path]) -> None:
    run = str(a_run("a", [0.5]))
    done = CliRunner().invoke(app, [run, run, "--json", "--no-picture"])
    found = json.loads(done.stdout)
    assert [len(group["runs"]) for group in found["groups"]] == [1], (
        "a run named twice counts once"
    )


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [str(tmp_path)])
    assert isinstance(done.exception, RunFolderError)
