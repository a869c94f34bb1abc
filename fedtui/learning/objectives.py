"""The two usual kinds of task, with loss, sums and predictions: a task adds model and data.

Needs torch, so only tasks import this; `task.py` says what each method means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from fedtui.learning.data import DataError
from fedtui.learning.task import Task

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fedtui.learning.data import Array, DataSource
    from fedtui.learning.task import Batch


class _Objective(Task):
    """What both kinds share. An own task may override any of it."""

    labels: tuple[str, ...] = ()

    def prepare(self, x: Array) -> Array:
        return x.astype(np.float32, copy=False)

    def inputs(self, source: DataSource) -> Array:
        """Inputs to predict from: by default the rows of a .npy file."""
        if not source.path.endswith(".npy"):
            raise DataError(f"this task predicts from a .npy file of inputs, not {source.path!r}")
        try:
            return np.asarray(np.load(source.path, allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"cannot read {source.path}: {error}") from error


class Classification(_Objective):
    """Cross-entropy over classes; `y` holds class numbers, the model gives one logit per class."""

    metric = "accuracy"

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return functional.cross_entropy(model(batch.x), batch.y)

    def metrics(self, model: nn.Module, batch: Batch) -> dict[str, float]:
        logits = model(batch.x)
        loss = functional.cross_entropy(logits, batch.y, reduction="sum")
        correct = (logits.argmax(1) == batch.y).sum()
        return {
            "loss_sum": float(loss),
            "correct": float(correct),
            "examples": float(len(batch.y)),
        }

    def predict(self, model: nn.Module, x: Tensor) -> list[dict[str, str | float]]:
        confidence, winner = model(x).softmax(1).max(1)
        return [
            {"prediction": self._label(int(best)), "confidence": round(float(p), 6)}
            for best, p in zip(winner, confidence, strict=True)
        ]

    def _label(self, number: int) -> str:
        return self.labels[number] if number < len(self.labels) else str(number)


class Regression(_Objective):
    """Squared error; `y` is float32, the model gives one number per row."""

    metric = "rmse"

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return functional.mse_loss(model(batch.x).reshape(-1), batch.y)

    def metrics(self, model: nn.Module, batch: Batch) -> dict[str, float]:
        target = batch.y.to(torch.float64)
        error = model(batch.x).reshape(-1).to(torch.float64) - target
        squared = float((error * error).sum())
        return {
            "loss_sum": squared,
            "squared_error": squared,
            "target_sum": float(target.sum()),
            "target_squares": float((target * target).sum()),
            "examples": float(len(target)),
        }

    def predict(self, model: nn.Module, x: Tensor) -> list[dict[str, str | float]]:
        return [{"prediction": float(value)} for value in model(x).reshape(-1)]
