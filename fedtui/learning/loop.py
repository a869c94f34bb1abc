"""One node's training in one round, batch by batch, and what its caller hears meanwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from fedtui import plugins
from fedtui.errors import FedtuiError
from fedtui.learning import adversarial, devices, optimizers
from fedtui.learning.batches import cannot, parts, rows_of, tensors
from fedtui.learning.params import first_outside
from fedtui.learning.result import StoppedError, TrainError, TrainProgress

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from fedtui.learning.data import Examples
    from fedtui.learning.flat import FlatModel
    from fedtui.learning.params import Vector
    from fedtui.learning.partition import Indices
    from fedtui.learning.task import Batch, Task
    from fedtui.learning.training import TrainingSpec

    Correct = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]

REMEDY = "look for NaN or huge values in the data, or ask for a lower learning_rate"


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the caller wants to say or hear during training; every field may be left out.

    `correct(grad, param, anchor, extra)` is a strategy's node half, on flat tensors; `extra_D` is
    its vector from the coordinator. `progress` is called after, `cancelled` before every batch,
    `notice` with a sentence for the operator. `enough` is asked after every batch: once it says
    so, the steps made are all there are.
    """

    correct: Correct | None = None
    extra_D: Vector | None = None
    progress: Callable[[TrainProgress], None] | None = None
    cancelled: Callable[[], bool] | None = None
    notice: Callable[[str], None] | None = None
    enough: Callable[[], bool] | None = None


class Loop:
    """What training counts: the losses of all examples seen, how many, and in how many steps."""

    def __init__(self, task: Task, model: FlatModel, training: TrainingSpec, hooks: Hooks) -> None:
        self._task = task
        self._model = model
        self._training = training
        self._hooks = hooks
        self._optimizer = optimizers.make(training, model.mask)
        self._anchor = model.values.clone()
        self._extra: Tensor | None = None
        if hooks.extra_D is not None:  # it may be a mapped file, which torch does not take
            extra_D = np.require(hooks.extra_D, requirements="W")
            self._extra = torch.from_numpy(extra_D).to(model.values.device)
        self._most = training.batch_size  # examples at a time; fewer once memory did not do
        self.loss_sum = 0.0
        self.num_seen = 0
        self.num_steps = 0

    def run(self, examples: Examples, rows: Indices, rng: np.random.Generator) -> None:
        """Every batch of every epoch, or as many batches as the plan says."""
        if self._training.adversary is not None:
            adversarial.check(examples.x)
        devices.make_deterministic(wanted=self._training.deterministic)
        self._model.module.train()
        x, y = tensors(examples)
        size = self._training.batch_size
        num_batches = math.ceil(len(rows) / size)
        num_steps = self._training.steps or self._training.epochs * num_batches
        batches: tuple[Tensor, ...] = ()
        for step in range(num_steps):
            epoch, batch = divmod(step, num_batches)
            if batch == 0:
                batches = torch.split(torch.from_numpy(rows[rng.permutation(len(rows))]), size)
            if self._hooks.cancelled is not None and self._hooks.cancelled():
                raise StoppedError("training was stopped")
            loss = self._step(rows_of(x, y, batches[batch]))
            if not math.isfinite(loss):
                raise TrainError(self._diverged(loss, epoch + 1, batch + 1))
            if self._hooks.progress is not None:
                num_epochs = math.ceil(num_steps / num_batches)
                self._hooks.progress(
                    TrainProgress(
                        epoch + 1, num_epochs, batch + 1, num_batches, self.num_seen, loss
                    )
                )
            if self._hooks.enough is not None and self._hooks.enough():
                return

    def _step(self, batch: Batch) -> float:
        model = self._model
        try:
            value = self._differentiated(batch)
        except FedtuiError:
            raise
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            raise TrainError(cannot("train on", batch.x, error)) from error
        with torch.no_grad():
            self._optimizer.step(model.values, self._gradient())
        self.loss_sum += value * len(batch.y)
        self.num_seen += len(batch.y)
        self.num_steps += 1
        return value

    def _differentiated(self, batch: Batch) -> float:
        """The mean loss; its gradient is in the model. In parts if the memory asks for it."""
        while True:
            self._model.grads.zero_()
            try:
                return sum(self._part(part, len(batch.y)) for part in parts(batch, self._most))
            except torch.OutOfMemoryError as error:
                num = min(self._most, len(batch.y))
                if self._training.out_of_memory == "refuse" or num == 1:
                    raise TrainError(_too_small(num)) from error
            devices.make_room()
            self._most = (num + 1) // 2
            if self._hooks.notice is not None:
                self._hooks.notice(
                    f"memory is too small for {num} examples at a time: {self._most} at a time"
                )

    def _part(self, part: Batch, num_all: int) -> float:
        """This part's share of the mean loss of `num_all` examples; its gradient is added."""
        with devices.precision(self._training.precision):
            if self._training.adversary is not None:
                module, adversary = self._model.module, self._training.adversary
                part = adversarial.hardened(self._task, module, part, adversary)
            loss = _scalar(self._task.loss(self._model.module, part))
        if len(part.y) != num_all:
            loss = loss * (len(part.y) / num_all)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return float(loss.item())

    def _gradient(self) -> Tensor:
        """The batch's gradient as strategy and plan want it: corrected, then clipped."""
        grad = self._model.grads
        if self._hooks.correct is not None:
            grad = self._hooks.correct(grad, self._model.values, self._anchor, self._extra)
            if self._model.mask is not None:
                grad = grad * self._model.mask
        if self._training.clip_norm is not None:
            scale = self._training.clip_norm / (float(grad.norm()) + 1e-6)
            grad = grad * scale if scale < 1 else grad
        return grad

    def _diverged(self, loss: float, epoch: int, batch: int) -> str:
        said = f"the loss became {loss} in epoch {epoch}, batch {batch}"
        bad = first_outside(self._model.vector_D, limit=math.inf)
        if bad is not None:
            said += f", and tensor {self._model.manifest.tensor_at(bad)!r} holds NaN or Inf"
        return f"{said}: nothing is sent; {REMEDY}"


def _scalar(loss: object) -> Tensor:
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        got = f"a tensor of {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else loss
        raise plugins.PluginError(
            f"`loss` of the task returned {got!s:.80}, expected a tensor of one number, the mean "
            "over the batch"
        )
    if not loss.requires_grad:
        raise plugins.PluginError(
            "`loss` of the task does not depend on the model's parameters, so nothing can be "
            "learned: compute it from model(batch.x), without .item() or .detach()"
        )
    return loss


def _too_small(num: int) -> str:
    return (
        f"the memory is too small for {num} examples at a time: choose another device "
        "(fedtui limit --device), or ask for a smaller batch_size"
    )
