"""Simulations as benchmarks start them: a plan, the command `fedtui-simulate run`, what it told.

Loads no torch and little else: the peak memory of a child can not be told below its parent's.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

NULL_TASK = Path(__file__).parent / "null_task.py"
SPLITS = Path(__file__).parent / "data" / "fashion-mnist"
PROGRAM = Path(sys.executable).with_name("fedtui-simulate")


class RunError(Exception):
    """A simulation that did not come to its end; what the command said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of one command: its lines, the SHA-256 of the model's file, and what it cost.

    `rounds` are the lines of finished rounds, and `cpu_s` what the process had used up at each, as
    seen from outside; `wall_s` is the whole command's, its start included; `peak_mb` is that of
    the largest of its processes, in 10**6 bytes.
    """

    rounds: list[dict[str, Any]]
    cpu_s: list[float]
    end: dict[str, Any]
    model: str
    wall_s: float
    peak_mb: float

    @property
    def seconds(self) -> list[float]:
        """Wall seconds of each round after the first, in which everything is made."""
        return [one["wall_s"] for one in self.rounds[1:]]

    @property
    def median_s(self) -> float:
        """The median of `seconds`."""
        return statistics.median(self.seconds)

    @property
    def cpu_a_round_s(self) -> float:
        """CPU seconds of the mean round, but for the first and the last; of three or more."""
        return (self.cpu_s[-2] - self.cpu_s[0]) / (len(self.cpu_s) - 2)

    @property
    def scores(self) -> list[float]:
        """What was measured after each round."""
        return [one["score"] for one in self.rounds]


def null_plan(
    *, nodes: int, dim: int, rounds: int, masked: bool = False, count: int | None = None
) -> str:
    """A plan of the task that trains nothing; `count` nodes a round, or all of them."""
    cohort = count or nodes
    return f"""\
[federation]
name = "benchmark"
[task]
name = "null_task"
sha256 = "{hashlib.sha256(NULL_TASK.read_bytes()).hexdigest()}"
metric = "loss"
options = {{ dim = {dim} }}
[selection]
minimum = {cohort}
count = {cohort}
[rounds]
start_with = {nodes}
maximum = {rounds}
[evaluation]
holdout = 0.0
[privacy]
updates = "{"masked" if masked else "visible"}"
largest_cohort = {max(100, cohort)}
[population]
nodes = {nodes}
"""


def simulate(plan: str, *options: str) -> Run:
    """Run the plan in a folder of its own, which is removed. Raises RunError."""
    with tempfile.TemporaryDirectory(prefix="fedtui-bench-") as folder:
        file, out = Path(folder) / "plan.toml", Path(folder) / "run"
        file.write_text(plan, encoding="utf-8")
        command = [str(PROGRAM), "run", str(file), "--out", str(out), "--json", *options]
        if "null_task" in plan:
            command += ["--task-file", str(NULL_TASK)]
        with (Path(folder) / "errors").open("w+b") as errors:
            began_s = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
            assert process.stdout is not None
            lines, cpu_s = [], []
            for line in process.stdout:
                lines.append(json.loads(line))
                if lines[-1]["event"] == "round":
                    used = psutil.Process(process.pid).cpu_times()
                    cpu_s.append(used.user + used.system)
            process.stdout.close()
            _, status, usage = os.wait4(process.pid, 0)
            wall_s = time.perf_counter() - began_s
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode or not lines:
                errors.seek(0)
                said = errors.read().decode(errors="replace")
                raise RunError(f"{' '.join(command)}: exit {process.returncode}\n{said}")
        with (out / "model.safetensors").open("rb") as file_of_model:
            digest = hashlib.file_digest(file_of_model, "sha256").hexdigest()
        return Run(
            rounds=[line for line in lines if line["event"] == "round"],
            cpu_s=cpu_s,
            end=lines[-1],
            model=digest,
            wall_s=wall_s,
            peak_mb=usage.ru_maxrss * 1024 / 1e6,
        )


def machine() -> str:
    """The machine in a line: processor, cores, system."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{' '.join(name.split())}, {os.cpu_count()} cores, {platform.system()}"
