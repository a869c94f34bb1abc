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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch

from fedtui import plugins
from fedtui.errors import ExitCode, FedtuiError
from fedtui.learning import devices, metrics
from fedtui.learning.batches import cannot, rows_of, tensors
from fedtui.learning.flat import FlatModel, manifest_of, travelling
from fedtui.learning.loading import load_task
from fedtui.learning.loop import REMEDY, Hooks, Loop
from fedtui.learning.params import Params, first_outside, norm
from fedtui.learning.result import StoppedError, TrainError, TrainResult
from fedtui.learning.task import Batch, FixedUpdate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn

    from fedtui.learning.data import Array, Examples
    from fedtui.learning.params import Manifest, Vector
    from fedtui.learning.partition import Indices
    from fedtui.learning.task import Task
    from fedtui.learning.training import TrainingSpec
    from fedtui.status.limits import Device

_EVALUATION_BATCH = 1000
_MODULE_SEED = 1  # for what a module draws when it is made and that does not travel


_NO_HOOKS = Hooks()


def set_num_threads(num_threads: int) -> None:
    """How many threads torch may use from now on; results differ in their last bits."""
    torch.set_num_threads(num_threads)


def use_device(wanted: Device) -> None:
    """Where this process trains and evaluates from now on. TrainError if it is not there."""
    devices.use(wanted)


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
        loop = Loop(self.task, model, training, hooks)
        loop.run(examples, rows, np.random.default_rng(seed))
        update_D = model.vector_D - params.vector_D
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
        device = devices.current()
        if self._model is None or self._model.values.device.type != device.type:
            self._model = FlatModel(_module(self.task), params, device)
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
    device = devices.current()
    model = FlatModel(_module(task), params, device)
    model.module.eval()
    for start in range(0, len(x), _EVALUATION_BATCH):
        rows = torch.from_numpy(np.ascontiguousarray(x[start : start + _EVALUATION_BATCH]))
        try:
            with torch.no_grad():
                answers = task.predict(model.module, rows.to(device))
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            raise TrainError(cannot("predict from", rows, error)) from error
        yield from answers


def _summed(
    part: Callable[[Batch], dict[str, float]],
    examples: Examples,
    rows: Indices,
    sums: dict[str, float],
    cancelled: Callable[[], bool] | None,
) -> dict[str, float]:
    """`sums` and those of every batch of the rows, without gradients."""
    x, y = tensors(examples)
    start, most = 0, _EVALUATION_BATCH
    with torch.no_grad():
        while start < len(rows):
            if cancelled is not None and cancelled():
                raise StoppedError("evaluation was stopped")
            try:
                chosen = torch.from_numpy(rows[start : start + most])
                found = part(rows_of(x, y, chosen))
            except torch.OutOfMemoryError as error:
                if most == 1:
                    raise TrainError(cannot("evaluate", x, error)) from error
                devices.make_room()
                most //= 2
                continue
            except FedtuiError:
                raise
            except (RuntimeError, IndexError, ValueError, TypeError) as error:
                raise TrainError(cannot("evaluate", x, error)) from error
            sums = metrics.add(sums, found)
            start += most
    return sums


def _checked_module(task: Task) -> nn.Module:
    made: object = task.model()
    if not isinstance(made, torch.nn.Module):
        raise plugins.PluginError(
            f"`model` of the task returned {type(made).__name__}, expected a torch.nn.Module"
        )
    return made


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


def _check(update_D: Vector, manifest: Manifest) -> None:
    """Fault A1: what is not a number never leaves the node."""
    bad = first_outside(update_D, limit=math.inf)
    if bad is not None:
        raise TrainError(
            f"the update of tensor {manifest.tensor_at(bad)!r} holds NaN or Inf: nothing is sent; "
            f"{REMEDY}"
        )


def _seed_torch(seed: int) -> None:
    """As torch.manual_seed, which takes longer than a small node's training where no GPU is."""
    if _has_accelerator():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


@functools.cache
def _has_accelerator() -> bool:
    return bool(torch.accelerator.is_available())


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
