"""What the demo was asked for, and the plan that follows from it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from fedtui.errors import ExitCode, FedtuiError
from fedtui.learning.data import DataError
from fedtui.learning.partition import partition

TaskName = Literal["digits", "fashion_mnist"]
Model = Literal["mlp", "cnn"]
MAX_NODES = 64


class SettingsError(FedtuiError):
    """The demo was asked for something that cannot be."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDefaults:
    """What suits a task: found by trying, see benchmarks/reference_curves.py."""

    target: float
    rounds: int
    epochs: int
    learning_rate: float
    momentum: float
    with_evaluator: bool


DEFAULTS: dict[TaskName, TaskDefaults] = {
    "digits": TaskDefaults(
        target=0.95, rounds=30, epochs=2, learning_rate=0.1, momentum=0.9, with_evaluator=False
    ),
    "fashion_mnist": TaskDefaults(
        target=0.85, rounds=15, epochs=1, learning_rate=0.05, momentum=0.0, with_evaluator=True
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The demo's options; None is the default of the task."""

    task: TaskName = "digits"
    model: Model = "mlp"
    plan: Path | None = None
    data: Path | None = None
    nodes: int = 4
    rounds: int | None = None
    target: float | None = None
    split: str = "iid"
    initial: Path | None = None
    seed: int = 1
    plain: bool = False
    json: bool = False
    out: Path | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.nodes <= MAX_NODES:
            raise SettingsError(f"--nodes is {self.nodes}: give a number from 1 to {MAX_NODES}")
        if self.rounds is not None and self.rounds < 1:
            raise SettingsError(f"--rounds is {self.rounds}: give 1 or more")
        for name, path in (("plan", self.plan), ("data", self.data), ("initial", self.initial)):
            if path is not None and not path.exists():
                raise SettingsError(f"--{name}: there is no {path}")
        if self.target is not None and not 0.0 < self.target <= 1.0:
            raise SettingsError(
                f"--target is {self.target:g}: give an accuracy of at most 1, such as 0.95"
            )
        if self.plan is not None and not (self.rounds is None and self.target is None):
            raise SettingsError("--rounds and --target are in the plan: write them into its file")
        self._check_split()

    def _check_split(self) -> None:
        """Find a misspelt split now, and not after everything has been started."""
        if self.split.endswith(".npz"):
            if not Path(self.split).exists():
                raise SettingsError(f"--split: there is no {self.split}")
            return
        try:
            partition(self.split, np.zeros(1, np.int64), num_shards=1, seed=0)
        except DataError as error:
            raise SettingsError(f"--split: {error}") from error

    @property
    def with_evaluator(self) -> bool:
        """Whether the demo adds an evaluator with the task's own test set."""
        return self.plan is None and DEFAULTS[self.task].with_evaluator

    def plan_toml(self) -> str:
        """The plan that the demo's coordinator serves."""
        if self.plan is not None:
            return self.plan.read_text(encoding="utf-8")
        chosen = DEFAULTS[self.task]
        target = chosen.target if self.target is None else self.target
        options = f"options = {{ model = {json.dumps(self.model)} }}\n"
        return f"""\
seed = {self.seed}

[federation]
name = "demo {self.task}"

[task]
name = {json.dumps(self.task)}
metric = "accuracy"
{options if self.task == "fashion_mnist" else ""}
[training]
epochs = {chosen.epochs}
batch_size = 32
learning_rate = {chosen.learning_rate}
momentum = {chosen.momentum}

[selection]
minimum = {max(1, (self.nodes + 1) // 2)}

[rounds]
start_with = {self.nodes}
maximum = {self.rounds or chosen.rounds}
target = {target}

[evaluation]
with_evaluator = {str(chosen.with_evaluator).lower()}
"""
