"""The usual kinds of task, with loss, sums and predictions: a task adds model and data.

Needs torch, so only tasks import this; `task.py` says what each method means. A language model,
which learns the next token, is in `language.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch.nn import functional

from fedtui.learning import measuring
from fedtui.learning.archives import read_array
from fedtui.learning.data import DataError, own_path
from fedtui.learning.metrics import sums_for
from fedtui.learning.task import Task
from fedtui.plugins import PluginError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fedtui.learning.data import Array, DataSource, Examples
    from fedtui.learning.task import Batch


class Objective(Task):
    """What all kinds share. An own task may override any of it.

    `measures` are the metrics that it can give; `metric` is the one it gives. A task with a
    `metrics` of its own says which those are.
    """

    labels: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()

    def prepare(self, x: Array) -> Array:
        return x.astype(np.float32, copy=False)

    def inputs(self, source: DataSource) -> Array:
        """Inputs to predict from: by default the rows of a .npy file."""
        if not source.path.endswith(".npy"):
            raise DataError(f"this task predicts from a .npy file of inputs, not {source.path!r}")
        return read_array(own_path(source))

    def check(self, examples: Examples) -> None:
        """Refuse targets that this kind of task cannot learn. Raises DataError."""

    def _label(self, number: int) -> str:
        return self.labels[number] if number < len(self.labels) else str(number)


class Classification(Objective):
    """Cross-entropy over classes; `y` holds class numbers, the model gives one logit per class."""

    metric = "accuracy"
    measures = ("accuracy", "loss", "balanced_accuracy", "macro_f1", "auroc", "calibration_error")

    def check(self, examples: Examples) -> None:
        """Targets are whole numbers from 0, below the number of labels if there are labels."""
        y = examples.y
        if y.ndim != 1 or y.dtype.kind not in "iu":
            raise DataError(
                f"the targets are {y.dtype} of shape {y.shape}, but classes are whole numbers, "
                "one per example: use y.astype(np.int64)"
            )
        most = len(self.labels) or None
        bad = np.flatnonzero((y < 0) | (y >= most if most is not None else False))
        if len(bad):
            expected = f"0 to {most - 1}" if most is not None else "0 or more"
            raise DataError(
                f"example {bad[0]} (counted from 0) has the class {y[bad[0]]}, expected {expected}"
                f"; {len(bad)} of {len(y)} examples are wrong: correct or remove them"
            )

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return functional.cross_entropy(self._logits(model, batch), batch.y)

    def metrics(self, model: nn.Module, batch: Batch) -> dict[str, float]:
        return measuring.of_classes(self.metric, self._logits(model, batch), batch.y)

    def _logits(self, model: nn.Module, batch: Batch) -> Tensor:
        logits = model(batch.x)
        if logits.ndim != 2 or logits.shape[1] < len(self.labels):
            raise _misfit(
                logits, f"(examples, {len(self.labels) or 'classes'}), one for each class"
            )
        return cast("Tensor", logits)

    def predict(self, model: nn.Module, x: Tensor) -> list[dict[str, str | float]]:
        confidence, winner = model(x).softmax(1).max(1)
        return [
            {"prediction": self._label(int(best)), "confidence": round(float(p), 6)}
            for best, p in zip(winner, confidence, strict=True)
        ]


class MultiLabel(Objective):
    """Any number of labels per example: `y` is float32 (n, labels) of 0 and 1, one logit each."""

    metric = "macro_f1"
    measures = ("macro_f1", "auroc", "loss")

    def check(self, examples: Examples) -> None:
        """Targets are 0 and 1, in one column per label."""
        y = examples.y
        if (
            y.ndim != 2
            or y.dtype != np.float32
            or (self.labels and y.shape[1] != len(self.labels))
        ):
            width = len(self.labels) or "labels"
            raise DataError(
                f"the targets are {y.dtype} of shape {y.shape}, expected float32 of shape "
                f"(examples, {width}): one column of 0 and 1 for each label"
            )
        bad = np.argwhere((y != 0) & (y != 1))
        if len(bad):
            row, column = bad[0]
            raise DataError(
                f"example {row} (counted from 0), label {self._label(int(column))}: "
                f"{y[row, column]:g} is neither 0 nor 1; correct it"
            )

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return functional.binary_cross_entropy_with_logits(self._logits(model, batch), batch.y)

    def metrics(self, model: nn.Module, batch: Batch) -> dict[str, float]:
        return measuring.of_labels(self.metric, self._logits(model, batch), batch.y)

    def _logits(self, model: nn.Module, batch: Batch) -> Tensor:
        logits = model(batch.x)
        if logits.shape != batch.y.shape:
            raise _misfit(logits, f"(examples, {batch.y.shape[1]}), one for each label")
        return cast("Tensor", logits)

    def predict(self, model: nn.Module, x: Tensor) -> list[dict[str, str | float]]:
        """The labels that are more likely than not, joined by `|`, and how likely each is."""
        answers: list[dict[str, str | float]] = []
        for row in model(x).sigmoid():
            shares = {self._label(k): round(float(p), 6) for k, p in enumerate(row)}
            chosen = "|".join(name for name, p in shares.items() if p > 0.5)
            answers.append({"prediction": chosen, **shares})
        return answers


class Regression(Objective):
    """Squared error; `y` is float32, the model gives one number per row."""

    metric = "rmse"
    measures = ("rmse", "r2", "loss")

    def check(self, examples: Examples) -> None:
        """Targets are finite numbers, one per example."""
        y = examples.y
        if y.ndim != 1 or y.dtype != np.float32:
            raise DataError(
                f"the targets are {y.dtype} of shape {y.shape}, but a regression learns one "
                "float32 per example: use y.astype(np.float32).reshape(-1)"
            )
        bad = np.flatnonzero(~np.isfinite(y))
        if len(bad):
            raise DataError(
                f"example {bad[0]} (counted from 0) has the target {y[bad[0]]}; {len(bad)} of "
                f"{len(y)} examples are no finite numbers: correct or remove them"
            )

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return functional.mse_loss(self._answers(model, batch), batch.y)

    def metrics(self, model: nn.Module, batch: Batch) -> dict[str, float]:
        target = batch.y.to(torch.float64)
        error = self._answers(model, batch).to(torch.float64) - target
        squared = float((error * error).sum())
        found = {
            "loss_sum": squared,
            "squared_error": squared,
            "target_sum": float(target.sum()),
            "target_squares": float((target * target).sum()),
            "examples": float(len(target)),
        }
        return {name: found[name] for name in sums_for(self.metric)}

    def predict(self, model: nn.Module, x: Tensor) -> list[dict[str, str | float]]:
        return [{"prediction": float(value)} for value in model(x).reshape(-1)]

    def _answers(self, model: nn.Module, batch: Batch) -> Tensor:
        answers = model(batch.x)
        if answers.numel() != len(batch.y):
            raise _misfit(answers, "(examples,), one for each example")
        return cast("Tensor", answers.reshape(-1))


def _misfit(got: Tensor, expected: str) -> PluginError:
    return PluginError(
        f"`model` of the task answers with shape {tuple(got.shape)}, expected {expected}"
    )
