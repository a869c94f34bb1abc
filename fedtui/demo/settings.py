"""What the demo was asked for, and the plan that follows from it."""

import contextlib
import json
import os
import shlex
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from fedtui import tomlfile
from fedtui.errors import ExitCode, FedtuiError
from fedtui.learning import partition
from fedtui.learning.data import DataError
from fedtui.rounds.plan import Plan

TaskName = Literal["digits", "fashion_mnist"]
Model = Literal["mlp", "cnn"]
MAX_NODES = 64
MIN_MASKED = 3
RUNS = Path("fedtui-runs")


class SettingsError(FedtuiError):
    """The demo was asked for something that cannot be."""

    exit_code = ExitCode.USAGE


class OutputError(SettingsError):
    """The model cannot be written to the place that was asked for."""

    exit_code = ExitCode.CANNOT_CREATE


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
    visible: bool = False
    plain: bool = False
    screen: bool = True
    json: bool = False
    out: Path | None = None
    own_toml: str = field(init=False, default="")  # of the user's own plan, read once
    left_out: str = field(init=False, default="")  # what of it is not for real nodes
    own_plan: Plan | None = field(init=False, default=None)  # None if `init` will say why

    def __post_init__(self) -> None:
        """Refuse what cannot be, before anything is started. Raises SettingsError."""
        if not 1 <= self.nodes <= MAX_NODES:
            raise SettingsError(f"--nodes is {self.nodes}: give a number from 1 to {MAX_NODES}")
        if self.nodes < MIN_MASKED and not self.visible and self.plan is None:
            raise SettingsError(
                f"--nodes is {self.nodes}: masks hide an update in a sum of {MIN_MASKED} nodes or "
                "more; give more nodes, or --visible to let the coordinator read each update"
            )
        if self.rounds is not None and self.rounds < 1:
            raise SettingsError(f"--rounds is {self.rounds}: give 1 or more")
        for name, path in (("plan", self.plan), ("data", self.data), ("initial", self.initial)):
            if path is not None and not path.exists():
                raise SettingsError(f"--{name}: there is no {path}")
        if self.target is not None and not 0.0 < self.target <= 1.0:
            raise SettingsError(
                f"--target is {self.target:g}: give an accuracy of at most 1, such as 0.95"
            )
        given = [
            n for n in ("rounds", "target", "visible") if getattr(self, n) not in {None, False}
        ]
        if self.plan is not None and given:
            raise SettingsError(f"--{given[0]} is in the plan: write it into {self.plan}")
        if self.plan is None and self.model != "mlp" and self.task != "fashion_mnist":
            raise SettingsError(
                f"--model {self.model} is for --task fashion_mnist: {self.task} has one model here"
            )
        self._read_own_plan()
        plan = self.own_plan
        needed = 0 if plan is None else max(plan.minimum, plan.rounds.start_with or 0)
        if needed > self.nodes:
            raise SettingsError(
                f"--nodes is {self.nodes}: the first round of {self.plan} waits for {needed} "
                f"participants; give --nodes {needed}, or change the plan"
            )
        self._check_out()
        self._check_split()

    def _read_own_plan(self) -> None:
        if self.plan is None:
            return
        try:
            text = self.plan.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"--plan: {self.plan} cannot be read: {error}") from error
        served = tomlfile.without(text, "population", path=self.plan)
        if served != text:
            left_out = f"[population] of {self.plan} is left out: it is for simulations"
            object.__setattr__(self, "left_out", left_out)
        text = served
        object.__setattr__(self, "own_toml", text)
        with contextlib.suppress(tomllib.TOMLDecodeError, msgspec.ValidationError):
            object.__setattr__(self, "own_plan", msgspec.convert(tomllib.loads(text), Plan))

    def _check_out(self) -> None:
        """Find out now, and not after training, that the model has no place to go to."""
        if self.out is None:
            folder = RUNS
        elif os.path.lexists(self.out):
            raise OutputError(
                f"--out: {self.out} exists and was left as it is: give another --out"
            )
        else:
            folder = self.out.absolute().parent
        there = next(
            path for path in (folder.absolute(), *folder.absolute().parents) if path.exists()
        )
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise OutputError(f"--out: nothing can be written into {there}: give another --out")

    def _check_split(self) -> None:
        """Find a misspelt split now, and not after everything has been started."""
        if self.split.endswith(".npz"):
            if not Path(self.split).exists():
                raise SettingsError(f"--split: there is no {self.split}")
            return
        try:
            partition.check(self.split)
        except DataError as error:
            raise SettingsError(f"--split: {error}") from error

    @property
    def with_evaluator(self) -> bool:
        """Whether the demo adds an evaluator with the task's own test set."""
        if self.plan is None:
            return DEFAULTS[self.task].with_evaluator
        return self.own_plan is not None and self.own_plan.evaluation.with_evaluator

    @property
    def shows_updates(self) -> bool:
        """Whether the nodes must agree that the coordinator reads each update."""
        return self.visible if self.own_plan is None else not self.own_plan.masked

    @property
    def remedy(self) -> str:
        """What to type when a node cannot use the data."""
        words = ["fedtui-demo", "--task", self.task]
        if self.plan is not None:
            words = ["fedtui-demo", "--plan", str(self.plan)]
        if self.data is not None or self.task != "digits" or self.plan is not None:
            words += ["--data", "FOLDER" if self.task == "fashion_mnist" else "PATH"]
        if self.split.endswith(".npz"):
            words += ["--split", "FILE.npz"]
        return shlex.join(words)

    def plan_toml(self) -> str:
        """The plan that the demo's coordinator serves."""
        if self.plan is not None:
            return self.own_toml
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

[privacy]
updates = "{"visible" if self.visible else "masked"}"
"""
