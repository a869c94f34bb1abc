import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from a_coordinator import MANIFEST, D

from coordinator import cli
from coordinator.cli_start import _option
from coordinator.config import load, load_plan
from coordinator.exits import Exit
from coordinator.layout import Layout
from coordinator.refusals import BadRequestError
from fedtui.learning.params import Params
from fedtui.wire.tensors import from_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model=cnn", ("model", "cnn")),
        ("width=3", ("width", 3)),
        ("rate=0.5", ("rate", 0.5)),
        ("deep=true", ("deep", True)),
        ("list=[1]", ("list", [1])),
        ('classes=["cat", "dog"]', ("classes", ["cat", "dog"])),
        ("deeper=[[1]]", ("deeper", "[[1]]")),
        ("table={}", ("table", "{}")),
        ("empty=", ("empty", "")),
    ],
)
def test_options_of_a_task(text: str, expected: tuple[str, object]) -> None:
    assert _option(text) == expected


@pytest.mark.parametrize("text", ["model", "=1", "a b=1"])
def test_what_is_no_option(text: str) -> None:
    with pytest.raises(BadRequestError, match="write key=value"):
        _option(text)


def test_an_own_task_is_named_after_its_file_and_pinned(tmp_path: Path) -> None:
    initial, own = tmp_path / "i.safetensors", tmp_path / "my_task.py"
    initial.write_bytes(Params(MANIFEST, from_bytes(bytes(4 * D), MANIFEST)).to_safetensors())
    own.write_text("build = 1\n")
    command = ["init", "--dir", str(tmp_path / "f"), "--task-file", str(own)]
    assert cli._run([*command, "--initial", str(initial)]) == Exit.OK
    task = load_plan(Layout(tmp_path / "f").plan).task
    assert (task.name, task.sha256) == ("my_task", sha256(b"build = 1\n").hexdigest())


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (("--target", "95"), Exit.BAD_CONFIG, "accuracy is at most 1, so write 0.95"),
        (("--address", "bad address"), Exit.BAD_CONFIG, "'bad address' is not an address"),
        (("--task-file", "nosuch.py"), Exit.MISSING_INPUT, "nosuch.py"),
    ],
)
def test_what_init_refuses(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    status: int,
    says: str,
) -> None:
    initial = tmp_path / "i.safetensors"
    initial.write_bytes(Params(MANIFEST, from_bytes(bytes(4 * D), MANIFEST)).to_safetensors())
    command = ["init", "--dir", str(tmp_path / "f"), "--initial", str(initial)]
    assert cli._run([*command, *options]) == status
    assert says in capsys.readouterr().err
    assert not (tmp_path / "f").exists()


@pytest.mark.loopback
def test_init_writes_what_it_was_told(tmp_path: Path) -> None:
    initial = tmp_path / "i.safetensors"
    initial.write_bytes(Params(MANIFEST, from_bytes(bytes(4 * D), MANIFEST)).to_safetensors())
    command = [sys.executable, "-m", "coordinator", "init", "--dir", str(tmp_path / "f")]
    command += ["--name", "lab", "--rounds", "7", "--target", "0.9", "--minimum", "3"]
    command += ["--start-with", "4", "--seed", "5", "--option", "hidden=16", "--evaluator"]
    command += ["--host", "127.0.0.1", "--port", "9001", "--health-port", "9002"]
    command += ["--address", "lab.example:9001", "--initial", str(initial)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "fedtui-coordinator serve --dir" in done.stdout
    layout = Layout(tmp_path / "f")
    plan, config = load_plan(layout.plan), load(layout)
    assert (plan.federation.name, plan.rounds.maximum, plan.rounds.target) == ("lab", 7, 0.9)
    assert (plan.selection.minimum, plan.rounds.start_with, plan.seed) == (3, 4, 5)
    assert plan.task.options == {"hidden": 16}
    assert plan.evaluation.with_evaluator
    assert (config.server.port, config.health.port) == (9001, 9002)
    assert config.invites.addresses == ("lab.example:9001",)


POPULATION = "[population]\nnodes = 4\n"


def a_plan(folder: Path) -> Path:
    path = folder / "plan.toml"
    path.write_text('[federation]\nname = "x"\n[task]\nname = "digits"\n' + POPULATION)
    return path


def test_a_plan_with_a_population_is_served_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    initial = tmp_path / "i.safetensors"
    initial.write_bytes(Params(MANIFEST, from_bytes(bytes(4 * D), MANIFEST)).to_safetensors())
    command = ["init", "--dir", str(tmp_path / "f"), "--initial", str(initial)]
    assert cli._run([*command, "--plan", str(a_plan(tmp_path))]) == Exit.OK
    assert "[population] is left out" in capsys.readouterr().out
    assert load_plan(Layout(tmp_path / "f").plan).federation.name == "x"
    assert "population" not in Layout(tmp_path / "f").plan.read_text()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    a_plan(folder)
    (folder / "run.json").write_text("{}")
    model = Params(MANIFEST, from_bytes(bytes(4 * D), MANIFEST)).to_safetensors()
    (folder / "initial.safetensors").write_bytes(model)
    return folder


def test_a_run_becomes_a_federation(
    tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "f"
    assert cli._run(["init", "--dir", str(root), "--from-run", str(run), "--json"]) == Exit.OK
    report = json.loads(capsys.readouterr().out)
    assert report["num_values"] == D
    assert "one node can move the model as far as it likes" in report["bound"]
    assert any("--split iid --shard i/4 --split-seed 1" in note for note in report["notes"])
    assert load_plan(Layout(root).plan).federation.name == "x"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--plan", "p.toml"), "--plan"),
        (("--initial", "i.safetensors"), "--initial"),
        (("--task", "digits"), "--task"),
        (("--task-file", "t.py"), "--task-file"),
        (("--option", "a=1"), "--option"),
        (("--name", "federation"), "--name"),
        (("--metric", "loss"), "--metric"),
        (("--rounds", "50"), "--rounds"),
        (("--target", "0.9"), "--target"),
        (("--minimum", "3"), "--minimum"),
        (("--start-with", "3"), "--start-with"),
        (("--evaluator",), "--evaluator"),
        (("--masked",), "--masked/--visible"),
        (("--visible",), "--masked/--visible"),
        (("--seed", "1"), "--seed"),
    ],
)
def test_what_a_run_decides_cannot_be_said_again(
    tmp_path: Path,
    run: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    named: str,
) -> None:
    command = ["init", "--dir", str(tmp_path / "f"), "--from-run", str(run)]
    assert cli._run([*command, *options]) == Exit.USAGE
    assert f"{named} and --from-run exclude each other" in capsys.readouterr().err
    assert not (tmp_path / "f").exists()
