"""fedtui-simulate as people type it: killed, interrupted, piped, given nonsense."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

pytestmark = pytest.mark.loopback

COMMAND = [sys.executable, "-m", "fedtui.experiments.main"]
PLAN = """\
[federation]
name = "typed"
[task]
name = "digits"
[rounds]
maximum = 30
start_with = 8
[evaluation]
with_evaluator = true
[privacy]
minimum = 3
[population]
nodes = 10
split = "dirichlet:0.5"
[population.network]
spread = 0.5
[population.dropout]
training = 0.05
confirming = 0.02
"""


def simulate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def stop_after(folder: Path, number: int, how: signal.Signals) -> int:
    """Send a signal when the program says that this round is finished; its exit status."""
    command = [*COMMAND, "run", "plan.toml", "--out", "stopped", "--json"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "round" and event["round"] == number:
                process.send_signal(how)
                break
        process.stdout.read()
    return process.returncode


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path


@pytest.mark.parametrize("engine", ["serial", "processes"])
def test_killed_and_interrupted_it_goes_on_to_the_very_same_result(
    folder: Path, engine: str
) -> None:
    whole = simulate(folder, "run", "plan.toml", "--out", "whole")
    assert whole.returncode == 0, whole.stderr
    assert whole.stdout.splitlines()[-3] == "finished: all 30 rounds done"
    assert stop_after(folder, 4, signal.SIGKILL) == -signal.SIGKILL
    assert stop_after(folder, 12, signal.SIGINT) == 130
    assert stop_after(folder, 20, signal.SIGTERM) == 130
    again = simulate(folder, "run", "plan.toml", "--out", "stopped", "--engine", engine)
    assert again.returncode == 0, again.stderr
    assert "goes on after round" in again.stdout.splitlines()[0]
    results = [
        (
            (folder / run / "model.safetensors").read_bytes(),
            parquet.read_table(folder / run / "rounds.parquet").drop(["wall_s"]),
            parquet.read_table(folder / run / "nodes.parquet"),
        )
        for run in ("whole", "stopped")
    ]
    assert results[0] == results[1]


def test_nonsense_gets_a_sentence_and_a_status(folder: Path) -> None:
    (folder / "bad.toml").write_text(PLAN.replace('"dirichlet:0.5"', "5"))
    for arguments, status, said in (
        (("run", "bad.toml"), 78, "bad.toml, line 14: [population] split: Expected `str`"),
        (("run", "no.toml"), 78, "no.toml: there is no such file"),
        (("run", "plan.toml", "--engine", "fast"), 2, "'fast' is not one of: serial"),
        (("run", "plan.toml", "--task-file", "no.py"), 78, "cannot read the task file no.py"),
        (("run", "plan.toml", "--initial", "no"), 65, "cannot read no"),
        (("run", "plan.toml", "--track", "paper"), 69, "there is no tracker 'paper'"),
        (("compare", "nothing"), 73, "there is no such folder"),
    ):
        done = simulate(folder, *arguments)
        assert done.returncode == status, (arguments, done.stderr)
        assert said in done.stderr
        assert "Traceback" not in done.stderr + done.stdout


def test_a_task_that_crashes_costs_its_node_and_keeps_the_traceback(folder: Path) -> None:
    (folder / "own.py").write_text(
        "from fedtui.tasks.digits import Digits\n"
        "class Own(Digits):\n"
        "    def loss(self, model, batch):\n"
        "        if (batch.y == 3).sum() > 9:\n"
        "            raise ZeroDivisionError('nines')\n"
        "        return super().loss(model, batch)\n"
        "build = Own\n"
    )
    checked = subprocess.run(["sha256sum", "own.py"], cwd=folder, capture_output=True, check=True)
    digest = checked.stdout.split()[0].decode()
    plan = PLAN.replace('name = "digits"', f'name = "own"\nsha256 = "{digest}"')
    plan = plan.replace("maximum = 30", "maximum = 2").replace("dirichlet:0.5", "dirichlet:0.2")
    (folder / "own.toml").write_text(plan)
    done = simulate(folder, "run", "own.toml", "--task-file", "own.py", "--out", "own")
    assert done.returncode == 0, done.stderr
    kept = sorted((folder / "own" / "failures").iterdir())
    assert kept
    assert "ZeroDivisionError: nines" in kept[0].read_text()
    assert "dropped in round 1: the task failed: ZeroDivisionError: nines" in done.stdout
