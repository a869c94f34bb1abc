"""A real federation for tests: both programs by their public commands, in folders of the test."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec

from fedtui.control.client import ControlClient, NotRunningError

BIN = Path(sys.executable).parent
TASK = '''
import time

import numpy as np

from fedtui.learning.params import Manifest, TensorSpec


class Slow:
    """Trains nothing, for a while."""

    metric = "loss"

    def __init__(self, seconds: float = 0.3) -> None:
        self.seconds = seconds

    def manifest(self) -> Manifest:
        return Manifest((TensorSpec("w", (50_000,)),))

    def fixed_update(self, manifest: Manifest, seed: int) -> np.ndarray:
        time.sleep(self.seconds)
        values = np.random.default_rng(seed).standard_normal(manifest.num_values)
        return (values / 100).astype(np.float32)


build = Slow
'''
PLAN = """
[federation]
name = "slow"
[task]
name = "mine"
metric = "loss"
sha256 = "{sha256}"
options = {{ seconds = {seconds} }}
[rounds]
maximum = {rounds}
start_with = {nodes}
[privacy]
updates = "visible"
"""


class Federation:
    """One coordinator and its nodes; `close()` ends whatever still runs."""

    def __init__(self, folder: Path, *, nodes: int, rounds: int, seconds: float = 0.3) -> None:
        """A node trains for `seconds` in each round: long enough for what a test does then."""
        self.folder = folder
        self.directory = folder / "coordinator"
        self.task = folder / "mine.py"
        self.environment = os.environ | {
            "FEDTUI_HOME": str(folder / "nodes"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
        }
        self._server: subprocess.Popen[bytes] | None = None
        self._choices = (nodes, rounds, seconds)

    def init(self) -> "Federation":
        """Make the coordinator's directory; takes seconds, so tests may share it by `copy`."""
        nodes, rounds, seconds = self._choices
        self.task.write_text(TASK)
        digest = sha256(TASK.encode()).hexdigest()
        plan = self.folder / "plan.toml"
        text = PLAN.format(sha256=digest, rounds=rounds, nodes=nodes, seconds=seconds)
        plan.write_text(text)
        (self.folder / "run").mkdir(mode=0o700)
        made = self.coordinator(
            *("init", "--plan", str(plan), "--task-file", str(self.task), "--host", "127.0.0.1"),
            *("--port", "0", "--health-port", "0", "--address", "127.0.0.1", "--json"),
        )
        assert made.returncode == 0, made.stderr
        self.plan_hash = str(json.loads(made.stdout)["plan_hash"])
        return self

    def copy(self, folder: Path) -> "Federation":
        """The same federation before its first day, elsewhere."""
        shutil.copytree(self.folder, folder)
        nodes, rounds, seconds = self._choices
        found = Federation(folder, nodes=nodes, rounds=rounds, seconds=seconds)
        found.plan_hash = self.plan_hash
        return found

    def coordinator(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command, *options = arguments
        return self._run("fedtui-coordinator", command, *options, "--dir", str(self.directory))

    def fedtui(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run("fedtui", "--profile", name, *arguments)

    def serve(self, *options: str) -> None:
        """Start the coordinator; again on the port that it had, so that its nodes find it."""
        log = self.folder / "coordinator.log"
        num_lives = log.read_bytes().count(b"listening on") if log.exists() else 0
        with log.open("ab") as sink:
            self._server = subprocess.Popen(
                [BIN / "fedtui-coordinator", "serve", "--dir", self.directory, *options],
                stdout=sink,
                stderr=sink,
                env=self.environment,
            )
        self.until(
            lambda: (
                log.read_bytes().count(b"listening on") > num_lives
                or self._server.poll() is not None
            )
        )

    def stop(self) -> None:
        """Stop the coordinator, and keep its port for the next `serve`."""
        listening = re.search(
            r"listening on [\d.]+:(\d+)", (self.folder / "coordinator.log").read_text()
        )
        assert listening is not None
        toml = self.directory / "coordinator.toml"
        text = re.sub(
            r"(\[server\][^\[]*?\bport = )0\b", rf"\g<1>{listening[1]}", toml.read_text()
        )
        toml.write_text(text)
        self._server.send_signal(signal.SIGTERM)
        assert self._server.wait(30) == 0

    def invite(self, *options: str) -> Path:
        made = self.coordinator("invite", "--json", *options)
        assert made.returncode == 0, made.stderr
        path = self.folder / "invite"
        path.write_text(json.loads(made.stdout)["invite"])
        return path

    def join(self, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        return self.fedtui(
            name,
            *("join", "--invite-file", str(self.invite("--auto-approve"))),
            *("--task-file", str(self.task), "--label", name, "--accept", self.plan_hash),
            "--visible",
            *options,
        )

    def status(self, name: str) -> dict[str, object]:
        """What the node says of itself; empty if it does not run. Asked without a process."""
        for socket in (self.folder / "run" / "fedtui").glob(f"{name}-*.sock"):
            try:
                seen = asyncio.run(ControlClient(socket).status())
            except NotRunningError:
                continue
            return dict(msgspec.to_builtins(seen))
        return {}

    def log(self, name: str) -> str:
        path = self.folder / "nodes" / name / "node.log"
        return path.read_text() if path.exists() else ""

    def until(self, done: Callable[[], bool], *, limit_s: float = 60.0) -> None:
        """Wait for another process."""
        end = time.monotonic() + limit_s
        while not done():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.05)

    def close(self) -> None:
        for folder in (self.folder / "nodes").glob("*"):
            self.fedtui(folder.name, "stop")
        if self._server is not None:
            self._server.send_signal(signal.SIGTERM)
            self._server.wait(30)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / program, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
