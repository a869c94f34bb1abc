"""Small simulated federations for the tests of engines: the digits, few nodes, own task files."""

import time
from pathlib import Path

import numpy as np

from fedtui.learning.params import Vector
from fedtui.learning.trainer import initial
from fedtui.learning.training import TrainingSpec
from fedtui.rounds.plan import EvaluationSection, FederationSection, Plan, TaskSection
from fedtui.simulation.ground import Setup
from fedtui.simulation.population import Population

TRAINING = TrainingSpec(batch_size=16, learning_rate=0.1, momentum=0.9)

OWN_TASK = '''
import os
import signal
from pathlib import Path

import numpy as np
from torch import nn
from fedtui.learning.data import Examples
from fedtui.learning.objectives import Classification

def taken(folder):
    """Whether one of the markers became ours; then our process id is found beside it."""
    for marker in sorted(folder.glob("*.marker")):
        try:
            marker.rename(marker.with_suffix(".taken"))
        except FileNotFoundError:
            continue
        part = marker.with_suffix(".part")
        part.write_text(str(os.getpid()))
        part.rename(marker.with_suffix(".pid"))
        return True
    return False

class Own(Classification):
    """Two classes of points, dropout and normalisation; what goes wrong is told by options."""

    labels = ("low", "high")

    def __init__(self, worst: str = "") -> None:
        self._worst = worst

    def model(self):
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))

    def data(self, source):
        x = np.random.default_rng(len(source.part)).standard_normal((120, 4)).astype(np.float32)
        return Examples(x, (x.sum(1) > 0).astype(np.int64))

    def loss(self, model, batch):
        if self._worst == "memory":
            raise MemoryError
        if self._worst == "exit":
            raise SystemExit(3)
        if self._worst == "death":
            os.kill(os.getpid(), signal.SIGKILL)
        what, _, path = self._worst.partition(":")
        if what == "hold" and taken(Path(path)):
            signal.pause()
        if self._worst == "bug":
            return {}["nothing"]
        return super().loss(model, batch)

build = Own
'''


def a_plan(*, evaluator: bool = False, options: dict | None = None) -> Plan:
    return Plan(
        federation=FederationSection(name="few"),
        task=TaskSection(name="digits", options=options or {}),
        seed=5,
        training=TRAINING,
        evaluation=EvaluationSection(with_evaluator=evaluator, holdout=0.2),
    )


def a_setup(nodes: int = 6, *, evaluator: bool = False, **fields) -> Setup:
    """The digits, cut by Dirichlet(0.5), with a fifth held out."""
    population = Population(nodes=nodes, split="dirichlet:0.5")
    return Setup(plan=a_plan(evaluator=evaluator), population=population, **fields)


def an_own_setup(folder: Path, *, nodes: int = 6, worst: str = "", **fields) -> Setup:
    """A task file of the operator's own, written to `folder`; see OWN_TASK."""
    path = folder / "own_task.py"
    path.write_text(OWN_TASK)
    plan = a_plan(evaluator=True, options={"worst": worst} if worst else {})
    population = Population(nodes=nodes)
    return Setup(plan=plan, population=population, task_file=str(path), **fields)


def a_null_setup(dim: int, **fields) -> Setup:
    """Nobody trains: benchmarks/null_task.py, which sends a vector of `dim` values."""
    path = Path(__file__).parents[2] / "benchmarks" / "null_task.py"
    task = TaskSection(name="null", metric="loss", options={"dim": dim})
    plan = Plan(federation=FederationSection(name="null"), task=task, seed=5)
    population = Population(nodes=4)
    return Setup(plan=plan, population=population, task_file=str(path), **fields)


def a_model(setup: Setup, seed: int = 1) -> Vector:
    """Fresh weights of the setup's task."""
    return initial(setup.task(), seed=seed).vector_D


def who_took(marker: Path) -> int:
    """Wait for a process that took the marker, and holds still in its training; its id."""
    told, deadline = marker.with_suffix(".pid"), time.monotonic() + 120
    while not told.exists():
        assert time.monotonic() < deadline, "nobody began"
        time.sleep(0.01)
    return int(told.read_text())


def a_digest(number: int) -> bytes:
    return bytes([number]) * 32


def bits(update_D: Vector) -> bytes:
    assert update_D.dtype == np.float32
    return update_D.tobytes()
