"""The demo as a user runs it: its exit status, its JSON, and what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import plain_sums
import psutil
import pytest

from fedtui.learning.params import Params
from fedtui.rounds.plan import DEFAULT_WEIGHT_CAP

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(400)]
DEMO = [sys.executable, "-c", "from fedtui.demo import main; main()"]


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Where the demo puts everything; a short path, since sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="ft") as folder:
        yield Path(folder)


@pytest.fixture
def environment(scratch: Path) -> dict[str, str]:
    return dict(os.environ) | {"TMPDIR": str(scratch)}


@pytest.fixture
def running(tmp_path: Path, environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A demo of two nodes that was just started."""
    process = subprocess.Popen(
        [*DEMO, "--nodes", "2", "--visible", "--json", "--out", str(tmp_path / "model")],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.communicate()


def programs_of(process: "subprocess.Popen[str]") -> dict[str, psutil.Process]:
    """The long-running programs that a demo has started so far, by their command."""
    found = {}
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            line = " ".join(child.cmdline())
        except psutil.NoSuchProcess:
            continue
        if "coordinator serve" in line:
            found["coordinator"] = child
        elif "node.daemon --profile" in line:
            found[line.split("--profile ")[1].split()[0]] = child
    return found


def wait_for(process: "subprocess.Popen[str]", names: set[str]) -> dict[str, psutil.Process]:
    while True:
        assert process.poll() is None, process.communicate()
        found = programs_of(process)
        if names <= set(found):
            return found
        time.sleep(0.1)


def read_until(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if word in line:
            return
    raise AssertionError(f"the demo ended without saying {word!r}: {''.join(said)}")


def demo(
    tmp_path: Path, environment: dict[str, str], *options: str, out: str = "model"
) -> "subprocess.CompletedProcess[str]":
    """Run the demo to its end; its model goes to `out`."""
    return subprocess.run(
        [*DEMO, *options, "--out", str(tmp_path / out)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )


def test_the_demo_reaches_its_target_and_says_so_in_json(
    tmp_path: Path, environment: dict[str, str], scratch: Path
) -> None:
    done = demo(tmp_path, environment, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["task"], found["nodes"], found["seed"]) == ("digits", 4, 1)
    assert found["secure_aggregation"] is True
    assert found["reached"] is True
    assert found["accuracy"] >= found["target"] == 0.95
    assert Path(found["model"]).exists()
    for number, round_ in enumerate(found["rounds"], start=1):
        assert round_["round"] == number
        assert round_["participants"] == 4
        assert round_["dropped"] == 0
        assert round_["accuracy"] is not None
        assert round_["bytes_up"] > 4 * 4 * 4810
    assert list(scratch.iterdir()) == []


def test_equal_seeds_give_bit_equal_models(tmp_path: Path, environment: dict[str, str]) -> None:
    few = ["--nodes", "2", "--visible", "--rounds", "2"]
    models = []
    for name in ("one", "two"):
        demo(tmp_path, environment, *few, "--json", out=name)
        models.append((tmp_path / name / "model.safetensors").read_bytes())
    assert models[0] == models[1]


def test_a_target_that_is_not_reached_exits_1(tmp_path: Path, environment: dict[str, str]) -> None:
    options = ["--nodes", "1", "--visible", "--rounds", "1", "--target", "0.999"]
    done = demo(tmp_path, environment, *options, "--plain")
    assert done.returncode == 1, done.stderr
    assert "target NOT reached" in done.stdout


def test_a_plan_without_a_target_is_measured_by_its_evaluator_and_exits_0(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        '[federation]\nname = "mine"\n[task]\nname = "digits"\n[selection]\nminimum = 1\n'
        "[rounds]\nmaximum = 1\n[evaluation]\nwith_evaluator = true\n"
        '[privacy]\nupdates = "visible"\n'
    )
    done = demo(tmp_path, environment, "--plan", str(plan), "--nodes", "1", "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["reached"], outcome["target"]) == (None, None)
    assert outcome["accuracy"] is not None
    assert "evaluator joined" in done.stderr


def test_data_that_no_node_can_use_is_said_with_the_demos_own_remedy(
    tmp_path: Path, environment: dict[str, str], scratch: Path
) -> None:
    (tmp_path / "empty").mkdir()
    options = ["--task", "fashion_mnist", "--data", str(tmp_path / "empty"), "--nodes", "3"]
    done = demo(tmp_path, environment, *options, "--plain")
    assert done.returncode == 65, done.stderr
    assert "what to do: fedtui-demo --task fashion_mnist --data FOLDER" in done.stderr
    assert "fedtui join" not in done.stderr
    left = [path for path in scratch.rglob("*") if path.is_file()]
    assert {path.suffix for path in left} == {".log"}


def test_R1_a_killed_coordinator_is_started_again_and_the_demo_finishes(
    running: "subprocess.Popen[str]",
) -> None:
    read_until(running, "approved")
    found = wait_for(running, {"coordinator"})
    found["coordinator"].kill()
    out, err = running.communicate()
    assert running.returncode == 0, err
    assert "coordinator ended unexpectedly" in err
    assert "nknown child" not in err  # its status is not taken from asyncio
    outcome = json.loads(out)
    assert outcome["reached"] is True
    for round_ in outcome["rounds"]:  # of those before the kill nobody knows the bytes
        assert round_["bytes_up"] is None or round_["bytes_up"] > 0


def test_R2_a_killed_node_is_started_again_and_the_demo_finishes(
    running: "subprocess.Popen[str]",
) -> None:
    read_until(running, "approved")
    found = wait_for(running, {"coordinator", "node-1"})
    found["node-1"].kill()
    out, err = running.communicate()
    assert running.returncode == 0, err
    assert json.loads(out)["reached"] is True


def test_R2_two_of_ten_nodes_killed_in_mid_round_leave_the_exact_sum_of_the_others(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    first = tmp_path / "first.safetensors"
    command = ["fedtui.learning.trainer", "--task", "digits", "--out", str(first)]
    subprocess.run([sys.executable, "-P", "-m", *command], check=True)
    built = tmp_path / "told"
    environment |= plain_sums.environment(built)
    for label, point in (("node-3", "do Prepare"), ("node-8", "heard Survivors")):
        (built / "kill" / label).write_text(f"Offer {point} round 2")
    options = ["--nodes", "10", "--rounds", "3", "--target", "1.0", "--json"]
    done = demo(tmp_path, environment, *options, "--initial", str(first))
    assert done.returncode == 1, done.stderr  # nobody reaches such a target
    for label in ("node-3", "node-8"):
        assert (built / "kill" / f"{label}.killed").read_text() == "2 1"
        assert f"{label} ended unexpectedly (-9): started again" in done.stderr
    second = plain_sums.told(built).rounds[1]
    assert len(second.cohort) == 10
    assert len(second.survivors) == 9, "one was killed before its update was there, one after"
    begun = Params.from_safetensors(first.read_bytes())
    models = plain_sums.check(built, begun.vector_D, weight_cap=DEFAULT_WEIGHT_CAP)
    assert len(models) == 3
    exported = (tmp_path / "model" / "model.safetensors").read_bytes()
    found_D = Params.from_safetensors(exported, begun.manifest).vector_D
    assert any(np.array_equal(found_D, model_D) for model_D in models)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_or_a_closed_terminal_stops_everything_that_was_started(
    running: "subprocess.Popen[str]", scratch: Path, number: signal.Signals
) -> None:
    found = wait_for(running, {"coordinator", "node-1", "node-2"})
    running.send_signal(number)
    _, err = running.communicate()
    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert "everything that the demo started is stopped" in err
    assert not [p for p in found.values() if p.is_running() and p.status() != "zombie"]
    assert list(scratch.iterdir()) == []


def test_ctrl_c_again_during_the_clean_up_changes_nothing(
    running: "subprocess.Popen[str]", scratch: Path
) -> None:
    found = wait_for(running, {"coordinator", "node-1", "node-2"})
    running.send_signal(signal.SIGINT)
    while running.poll() is None:
        running.send_signal(signal.SIGINT)
        time.sleep(0.02)
    _, err = running.communicate()
    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert not [p for p in found.values() if p.is_running() and p.status() != "zombie"]
    assert list(scratch.iterdir()) == []


def test_ctrl_c_during_the_export_leaves_no_program_and_no_half_of_a_model(
    tmp_path: Path, environment: dict[str, str], scratch: Path
) -> None:
    options = ["--nodes", "1", "--visible", "--rounds", "1", "--target", "0.1", "--json"]
    process = subprocess.Popen(
        [*DEMO, *options],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    exporting: list[psutil.Process] = []
    while not exporting:
        assert process.poll() is None, process.communicate()
        children = psutil.Process(process.pid).children(recursive=True)
        exporting = [child for child in children if runs(child, "export_torch")]
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert not [p for p in exporting if p.is_running() and p.status() != "zombie"]
    assert list(scratch.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def runs(process: psutil.Process, word: str) -> bool:
    try:
        return any(word in part for part in process.cmdline())
    except psutil.NoSuchProcess:
        return False


def test_ctrl_c_while_modules_are_imported_is_one_line(tmp_path: Path) -> None:
    code = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "fedtui.demo.federation":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
from fedtui.demo import main
main()
"""
    command = [sys.executable, "-c", code, "--nodes", "1"]  # an option that is wrong: no run
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 130, done.stderr
    assert done.stderr == "interrupted: everything that the demo started is stopped\n"
