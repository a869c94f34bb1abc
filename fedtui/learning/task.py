"""What a task is: a model, where its data comes from, a loss and sums to judge by.

A task is one Python file that ends in `build = SomeClass`; the options of the plan are its
arguments. It runs in the trainer process of every node, so it comes with fedtui or the operator
adds it by hand: the coordinator can name it, never send it. Most tasks inherit from
`Classification`, `MultiLabel` or `Regression` (objectives.py) and write `model` and `data` only.

This module knows torch by name only, so that everybody can import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from fedtui.learning.data import DataError, Examples
from fedtui.learning.metrics import said, sums_for
from fedtui.learning.partition import take_shard

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fedtui.learning.data import Array, DataSource
    from fedtui.learning.params import Manifest, Vector


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some prepared examples as tensors: `x` of shape (b, ...), `y` of shape (b,) or (b, ...)."""

    x: Tensor
    y: Tensor


class Task(Protocol):
    """What the trainer needs of a task. All of it runs on the node."""

    metric: str
    labels: tuple[str, ...]

    def model(self) -> nn.Module:
        """A new model with fresh weights, drawn from torch's global generator."""

    def data(self, source: DataSource) -> Examples:
        """All examples at the source, before sharding. Raises DataError."""

    def prepare(self, x: Array) -> Array:
        """Raw inputs to what the model eats: float32, scaled, or int64 tokens. Also to predict."""

    def inputs(self, source: DataSource) -> Array:
        """Raw inputs without targets, to predict from. Raises DataError."""

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean loss of a batch, a scalar to differentiate."""

    def metrics(self, model: nn.Module, batch: Batch) -> dict[str, float]:
        """Sums over a batch, named as metrics.sums_for says: they add up over nodes."""

    def predict(self, model: nn.Module, x: Tensor) -> list[dict[str, str | float]]:
        """One answer per row of prepared inputs."""


@runtime_checkable
class FixedUpdate(Protocol):
    """A task that trains nothing: for benchmarks of the protocol. It needs no torch.

    The trainer answers every job with `fixed_update`, whatever the data; such a file may leave out
    everything that `Task` asks for.
    """

    metric: str

    def manifest(self) -> Manifest:
        """The model's tensors."""

    def fixed_update(self, manifest: Manifest, seed: int) -> Vector:
        """The update to send: float32 of shape (D,)."""


def load(task: Task, source: DataSource) -> Examples:
    """This node's examples, prepared for the model. Raises DataError."""
    return prepared(task, own(task, source))


def read(task: Task, source: DataSource) -> Examples:
    """Everything at the source, as the task reads it, with targets that it can learn.

    Raises:
        DataError: what the task itself raises; or it did not return examples, or not such ones.
    """
    found: object = task.data(source)
    if not isinstance(found, Examples):
        raise DataError(
            f"`data` of the task returned {type(found).__name__}, expected Examples(x, y) of "
            "fedtui.learning.data"
        )
    for name, array in (("inputs x", found.x), ("targets y", found.y)):
        if not isinstance(array, np.ndarray):
            raise DataError(
                f"`data` of the task returned {name} as {type(array).__name__}, expected a NumPy "
                "array: use np.asarray"
            )
    check = getattr(task, "check", None)
    if check is not None:
        check(found)
    return found


def own(task: Task, source: DataSource) -> Examples:
    """This node's examples as the task reads them, at least one. Raises DataError."""
    share = take_shard(read(task, source), source)
    if not len(share):
        raise DataError(f"{source.path or 'the data'} holds no examples: this node cannot train")
    return share


def prepared(task: Task, share: Examples) -> Examples:
    """The same examples as the model eats them. DataError if `prepare` returned something else."""
    x: object = task.prepare(share.x)
    if not isinstance(x, np.ndarray) or len(x) != len(share) or x.dtype == np.float64:
        got = f"{x.dtype} of shape {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
        raise DataError(
            f"`prepare` of the task returned {got} for {len(share)} inputs, expected a float32 "
            "array with one row for each: end it with .astype(np.float32)"
        )
    return Examples(x, share.y)


def describe(manifest: Manifest, metric: str) -> str:
    """What leaves the node in a round, in one sentence."""
    stays = f"; the frozen weights ({manifest.frozen[:16]}) stay here" if manifest.frozen else ""
    num_sums = len(sums_for(metric))
    return (
        f"{manifest.num_values:,} numbers ({manifest.num_bytes / 1e6:.2f} MB) in "
        f"{len(manifest.tensors)} tensors, the change of the model by this node's examples; "
        f"and {num_sums} sums: {said(metric)}{stays}"
    )
