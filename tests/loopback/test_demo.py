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

import psutil
import pytest

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
        [*DEMO, "--nodes", "2", "--json", "--out", str(tmp_path / "model")],
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
    for line in process.stderr:
        if word in line:
            return
    raise AssertionError(f"the demo ended without saying {word!r}")


def test_the_demo_reaches_its_target_and_says_so_in_json(
    tmp_path: Path, environment: dict[str, str], scratch: Path
) -> None:
    done = subprocess.run(
        [*DEMO, "--json", "--out", str(tmp_path / "model")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["task"], found["nodes"], found["seed"]) == ("digits", 4, 1)
    assert found["secure_aggregation"] is False
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
    models = []
    for name in ("one", "two"):
        subprocess.run(
            [*DEMO, "--nodes", "2", "--rounds", "2", "--json", "--out", str(tmp_path / name)],
            env=environment,
            capture_output=True,
            check=False,
            cwd=tmp_path,
        )
        models.append((tmp_path / name / "model.safetensors").read_bytes())
    assert models[0] == models[1]


def test_a_target_that_is_not_reached_exits_1(tmp_path: Path, environment: dict[str, str]) -> None:
    options = ["--nodes", "1", "--rounds", "1", "--target", "0.999"]
    done = subprocess.run(
        [*DEMO, *options, "--plain", "--out", str(tmp_path / "model")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 1, done.stderr
    assert "target NOT reached" in done.stdout


def test_R1_a_killed_coordinator_is_started_again_and_the_demo_finishes(
    running: "subprocess.Popen[str]",
) -> None:
    read_until(running, "approved")
    found = wait_for(running, {"coordinator"})
    found["coordinator"].kill()
    out, err = running.communicate()
    assert running.returncode == 0, err
    assert "coordinator ended unexpectedly" in err
    assert json.loads(out)["reached"] is True


def test_R2_a_killed_node_is_started_again_and_the_demo_finishes(
    running: "subprocess.Popen[str]",
) -> None:
    read_until(running, "approved")
    found = wait_for(running, {"coordinator", "node-1"})
    found["node-1"].kill()
    out, err = running.communicate()
    assert running.returncode == 0, err
    assert json.loads(out)["reached"] is True


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
