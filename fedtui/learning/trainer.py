"""The loops that know torch: initial weights, local training, evaluation, prediction.

Determinism. Equal inputs and one thread give bit-equal updates on one machine. A node's examples
are visited in the order `numpy.random.default_rng([seed, round, node_index]).permutation(n)`, one
permutation per epoch from the same generator, in batches of `batch_size`; the last may be smaller.
Torch's own generator, for dropout, is seeded from the same three numbers. On a CPU with one thread
no operation of torch is left to chance, so `torch.use_deterministic_algorithms` is not called: it
imports the compiler, two seconds of CPU in every trainer.

As a program, `python -m fedtui.learning.trainer` writes a task's initial weights (see `main`).
"""

from __future__ import annotations

import argparse
import functools
import math
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch

from fedtui import plugins
from fedtui.errors import ExitCode, FedtuiError
from fedtui.learning import metrics, optimizers
from fedtui.learning.flat import FlatModel, manifest_of, travelling
from fedtui.learning.loading import load_task
from fedtui.learning.params import Params, first_outside, norm
from fedtui.learning.result import StoppedError, TrainError, TrainProgress, TrainResult
from fedtui.learning.task import Batch, FixedUpdate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn

    from fedtui.learning.data import Array, Examples
    from fedtui.learning.params import Manifest, Vector
    from fedtui.learning.partition import Indices
    from fedtui.learning.task import Task
    from fedtui.learning.training import TrainingSpec

    Correct = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]

_EVALUATION_BATCH = 1000
_MODULE_SEED = 1  # for what a module draws when it is made and that does not travel


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the caller wants to say or hear during training; every field may be left out.

    `correct(grad, param, anchor, extra)` is a strategy's node half, on flat tensors; `extra_D` is
    its vector from the coordinator. `progress` is called after, `cancelled` before every batch.
    """

    correct: Correct | None = None
    extra_D: Vector | None = None
    progress: Callable[[TrainProgress], None] | None = None
    cancelled: Callable[[], bool] | None = None


_NO_HOOKS = Hooks()


def set_num_threads(num_threads: int) -> None:
    """How many threads torch may use from now on; results differ in their last bits."""
    torch.set_num_threads(num_threads)


def initial(task: Task, *, seed: int) -> Params:
    """A task's fresh model, the same for the same seed. ParamsError for one that cannot travel."""
    if isinstance(task, FixedUpdate):
        manifest = task.manifest()
        return Params(manifest, np.zeros(manifest.num_values, np.float32))
    manifest = manifest_of(_module(task))  # what is frozen is as every node makes it
    torch.manual_seed(seed)
    tensors = travelling(_checked_module(task)).values()
    parts = [tensor.detach().numpy().reshape(-1) for tensor in tensors]
    return Params(manifest, np.concatenate(parts))


class Workbench:
    """A task with its torch module, which is made once and loaded anew for every use.

    Results are the same, bit for bit, whether a workbench is new or has been used before: the
    module is made from a seed of its own, and torch is seeded for the training thereafter. What a
    module keeps in lists and the like of its own is not put back (learning/flat.py).
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self._model: FlatModel | None = None

    @functools.cached_property
    def manifest(self) -> Manifest:
        """What the task's model looks like. ParamsError for one that cannot travel."""
        return manifest_of(_module(self.task))

    def train(
        self,
        params: Params,
        examples: Examples,
        training: TrainingSpec,
        *,
        seed: tuple[int, int, int],
        hooks: Hooks = _NO_HOOKS,
        rows: Indices | None = None,
    ) -> TrainResult:
        """As `train_locally`, on `examples.take(rows)` without copying them."""
        if rows is None:
            rows = np.arange(len(examples))
        if not len(rows):
            raise TrainError("there are no examples to train on")
        model = self._load(params)
        state = np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)
        _seed_torch(int(state[0] >> np.uint64(1)))
        loop = _Loop(self.task, model, training, hooks)
        loop.run(examples, rows, np.random.default_rng(seed))
        update_D = model.values.numpy() - params.vector_D
        _check(update_D, params.manifest)
        if training.update_clip is not None and (length := norm(update_D)) > training.update_clip:
            update_D *= np.float32(training.update_clip / length)
        sums = {"loss_sum": loop.loss_sum, "examples": float(loop.num_seen)}
        return TrainResult(update_D, min(len(rows), loop.num_seen), sums, loop.num_steps)

    def evaluate(
        self,
        params: Params,
        examples: Examples,
        *,
        cancelled: Callable[[], bool] | None = None,
        rows: Indices | None = None,
    ) -> dict[str, float]:
        """As the function `evaluate`, on `examples.take(rows)`."""
        if rows is None:
            rows = np.arange(len(examples))
        sums = dict.fromkeys(metrics.sums_for(self.task.metric), 0.0)
        module = self._load(params).module
        module.eval()

        def part(batch: Batch) -> dict[str, float]:
            return _sums(self.task, self.task.metrics(module, batch))

        return _summed(part, examples, rows, sums, cancelled)

    def loss(
        self,
        params: Params,
        examples: Examples,
        *,
        cancelled: Callable[[], bool] | None = None,
        rows: Indices | None = None,
    ) -> float:
        """The mean of the task's loss over `examples.take(rows)`. Raises as `evaluate`."""
        if rows is None:
            rows = np.arange(len(examples))
        module = self._load(params).module
        module.eval()

        def part(batch: Batch) -> dict[str, float]:
            value = float(self.task.loss(module, batch).item())
            return {"loss_sum": value * len(batch.y), "examples": float(len(batch.y))}

        sums = _summed(part, examples, rows, {"loss_sum": 0.0, "examples": 0.0}, cancelled)
        return sums["loss_sum"] / max(sums["examples"], 1.0)

    def _load(self, params: Params) -> FlatModel:
        if self._model is None:
            self._model = FlatModel(_module(self.task), params)
        else:
            self._model.reload(params)
        return self._model


def _module(task: Task) -> nn.Module:
    """A task's module as every node makes it, but for the values that travel."""
    _seed_torch(_MODULE_SEED)
    return _checked_module(task)


def train_locally(
    task: Task,
    params: Params,
    examples: Examples,
    training: TrainingSpec,
    *,
    seed: tuple[int, int, int],
    hooks: Hooks = _NO_HOOKS,
) -> TrainResult:
    """Train from `params` on prepared `examples`; `seed` is (seed, round, node index).

    Raises:
        TrainError: no examples, a loss that the model cannot compute, or NaN or Inf in the update
            (names the tensor).
        PluginError: `model` or `loss` of the task returned something else than it must.
        ParamsError: `params` are not of this task's model.
        StoppedError: `hooks.cancelled` returned True.
    """
    return Workbench(task).train(params, examples, training, seed=seed, hooks=hooks)


def evaluate(
    task: Task,
    params: Params,
    examples: Examples,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, float]:
    """The task's sums over prepared `examples`: zeros when there are none.

    Raises:
        TrainError: the model cannot take these examples.
        ParamsError: `params` are not of this task's model.
        StoppedError: `cancelled` returned True.
    """
    return Workbench(task).evaluate(params, examples, cancelled=cancelled)


def predict(task: Task, params: Params, x: Array) -> Iterator[dict[str, str | float]]:
    """One answer per row of prepared inputs. Raises TrainError and ParamsError as `evaluate`."""
    model = FlatModel(_module(task), params)
    model.module.eval()
    for start in range(0, len(x), _EVALUATION_BATCH):
        rows = torch.from_numpy(np.ascontiguousarray(x[start : start + _EVALUATION_BATCH]))
        try:
            with torch.no_grad():
                answers = task.predict(model.module, rows)
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            raise TrainError(_cannot("predict from", rows, error)) from error
        yield from answers


def _summed(
    part: Callable[[Batch], dict[str, float]],
    examples: Examples,
    rows: Indices,
    sums: dict[str, float],
    cancelled: Callable[[], bool] | None,
) -> dict[str, float]:
    """`sums` and those of every batch of the rows, without gradients."""
    x, y = _tensors(examples)
    with torch.no_grad():
        for start in range(0, len(rows), _EVALUATION_BATCH):
            if cancelled is not None and cancelled():
                raise StoppedError("evaluation was stopped")
            try:
                chosen = torch.from_numpy(rows[start : start + _EVALUATION_BATCH])
                found = part(_batch(x, y, chosen))
            except FedtuiError:
                raise
            except (RuntimeError, IndexError, ValueError, TypeError) as error:
                raise TrainError(_cannot("evaluate", x, error)) from error
            sums = metrics.add(sums, found)
    return sums


class _Loop:
    """One node's training in one round, batch by batch."""

    def __init__(self, task: Task, model: FlatModel, training: TrainingSpec, hooks: Hooks) -> None:
        self._task = task
        self._model = model
        self._training = training
        self._hooks = hooks
        self._optimizer = optimizers.make(training, model.mask)
        self._anchor = model.values.clone()
        self._extra: Tensor | None = None
        if hooks.extra_D is not None:  # it may be a mapped file, which torch does not take
            self._extra = torch.from_numpy(np.require(hooks.extra_D, requirements="W"))
        self.loss_sum = 0.0
        self.num_seen = 0
        self.num_steps = 0

    def run(self, examples: Examples, rows: Indices, rng: np.random.Generator) -> None:
        """Every batch of every epoch, or as many batches as the plan says."""
        self._model.module.train()
        x, y = _tensors(examples)
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
            loss = self._step(_batch(x, y, batches[batch]))
            if not math.isfinite(loss):
                raise TrainError(self._diverged(loss, epoch + 1, batch + 1))
            if self._hooks.progress is not None:
                num_epochs = math.ceil(num_steps / num_batches)
                self._hooks.progress(
                    TrainProgress(
                        epoch + 1, num_epochs, batch + 1, num_batches, self.num_seen, loss
                    )
                )

    def _step(self, batch: Batch) -> float:
        model = self._model
        model.grads.zero_()
        try:
            loss = _scalar(self._task.loss(model.module, batch))
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        except FedtuiError:
            raise
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            raise TrainError(_cannot("train on", batch.x, error)) from error
        with torch.no_grad():
            self._optimizer.step(model.values, self._gradient())
        value = float(loss.item())
        self.loss_sum += value * len(batch.y)
        self.num_seen += len(batch.y)
        self.num_steps += 1
        return value

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
        bad = first_outside(self._model.values.numpy(), limit=math.inf)
        if bad is not None:
            said += f", and tensor {self._model.manifest.tensor_at(bad)!r} holds NaN or Inf"
        return f"{said}: nothing is sent; {_REMEDY}"


def _checked_module(task: Task) -> nn.Module:
    made: object = task.model()
    if not isinstance(made, torch.nn.Module):
        raise plugins.PluginError(
            f"`model` of the task returned {type(made).__name__}, expected a torch.nn.Module"
        )
    return made


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


def _sums(task: Task, part: object) -> dict[str, float]:
    names = metrics.sums_for(task.metric)
    if isinstance(part, dict) and part.keys() >= {*names}:
        odd = next((name for name in part if not isinstance(part[name], int | float)), None)
        if odd is None:
            return part
        raise plugins.PluginError(
            f"`metrics` of the task returned {odd} as {type(part[odd]).__name__}: expected a "
            "number, use float(...)"
        )
    got = ", ".join(map(str, part)) if isinstance(part, dict) else type(part).__name__
    raise plugins.PluginError(
        f"`metrics` of the task returned {got or 'no sums':.200}; its metric {task.metric} needs "
        f"the sums {metrics.said(task.metric)}"
    )


_REMEDY = "look for NaN or huge values in the data, or ask for a lower learning_rate"


def _check(update_D: Vector, manifest: Manifest) -> None:
    """Fault A1: what is not a number never leaves the node."""
    bad = first_outside(update_D, limit=math.inf)
    if bad is not None:
        raise TrainError(
            f"the update of tensor {manifest.tensor_at(bad)!r} holds NaN or Inf: nothing is sent; "
            f"{_REMEDY}"
        )


def _tensors(examples: Examples) -> tuple[Tensor, Tensor]:
    """Inputs and targets, not copied: for `_batch` only, as they may lie in read-only memory."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        x = torch.from_numpy(np.ascontiguousarray(examples.x))
        y = torch.from_numpy(np.ascontiguousarray(examples.y))
    return x, y


def _batch(x: Tensor, y: Tensor, chosen: Tensor) -> Batch:
    """A copy of some rows, aligned as torch likes it wherever the whole lies."""
    return Batch(x.index_select(0, chosen), y.index_select(0, chosen))


def _seed_torch(seed: int) -> None:
    """As torch.manual_seed, which takes longer than a small node's training where no GPU is."""
    if _has_accelerator():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


@functools.cache
def _has_accelerator() -> bool:
    return bool(torch.accelerator.is_available())


def _cannot(what: str, x: Tensor, error: Exception) -> str:
    return f"the model cannot {what} inputs of shape {tuple(x.shape[1:])} and {x.dtype}: {error}"


def main(arguments: list[str] | None = None) -> int:
    """Write a task's initial weights as safetensors; print manifest, metric and sums as JSON.

    Exit status: 0; 2 for bad arguments; 65 for a model that cannot travel; 73 when the file cannot
    be written; 78 for a task or options that do not exist. Nothing is left half written.
    """
    parser = argparse.ArgumentParser(prog="python -m fedtui.learning.trainer")
    parser.add_argument("--task", required=True, help="a name of fedtui/tasks")
    parser.add_argument("--options", default="{}", help="the task's options, a JSON object")
    parser.add_argument("--file", type=Path, help="an own task file to use instead")
    parser.add_argument("--sha256", help="refuse the file if its hash is another")
    parser.add_argument("--metric", default="", help="measure by this one, not the task's own")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="the safetensors file to write")
    chosen = parser.parse_args(arguments)
    try:
        options = msgspec.json.decode(chosen.options, type=dict[str, Any])
    except msgspec.DecodeError as error:
        parser.error(f"--options: {error}")
    torch.set_num_threads(1)
    try:
        task = load_task(
            chosen.task, options, file=chosen.file, sha256=chosen.sha256, metric=chosen.metric
        )
        params = initial(task, seed=chosen.seed)  # type: ignore[arg-type]  # takes both kinds
        _write(chosen.out, params.to_safetensors())
    except FedtuiError as error:
        sys.stderr.write(f"{error}\n")
        return int(error.exit_code)
    except OSError as error:
        sys.stderr.write(f"cannot write {chosen.out}: {error.strerror}\n")
        return int(ExitCode.CANNOT_CREATE)
    said = {
        "manifest": params.manifest,
        "metric": task.metric,
        "sums": metrics.sums_for(task.metric),
    }
    sys.stdout.write(msgspec.json.encode(said).decode() + "\n")
    return 0


def _write(path: Path, data: bytes) -> None:
    scratch = path.with_name(path.name + ".tmp")
    scratch.write_bytes(data)
    scratch.replace(path)


if __name__ == "__main__":
    sys.exit(main())
