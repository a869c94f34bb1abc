"""What a task is: a model, where its data comes from, a loss and sums to judge by.

A task is one Python file that ends in `build = SomeClass`; the options of the plan are its
arguments. It runs in the trainer process of every node, so it comes with fedtui or the operator
adds it by hand: the coordinator can name it, never send it. Most tasks inherit from
`Classification` or `Regression` (objectives.py) and write `model` and `data` only.

This module knows torch by name only, so that everybody can import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from fedtui.learning.data import DataError
from fedtui.learning.metrics import sums_for
from fedtui.learning.partition import take_shard

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fedtui.learning.data import Array, DataSource, Examples
    from fedtui.learning.params import Manifest, Vector


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some prepared examples as tensors: `x` of shape (b, ...), `y` of shape (b,)."""

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
        """Raw inputs to what the model eats (float32, scaled). Also used to predict."""

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


def own(task: Task, source: DataSource) -> Examples:
    """This node's examples as the task reads them, at least one. Raises DataError."""
    share = take_shard(task.data(source), source)
    if not len(share):
        raise DataError(f"{source.path or 'the data'} holds no examples: this node cannot train")
    return share


def prepared(task: Task, share: Examples) -> Examples:
    """The same examples as the model eats them."""
    return type(share)(task.prepare(share.x), share.y)


def describe(manifest: Manifest, metric: str) -> str:
    """What leaves the node in a round, in one sentence."""
    stays = f"; the frozen weights ({manifest.frozen[:16]}) stay here" if manifest.frozen else ""
    return (
        f"{manifest.num_values:,} numbers ({manifest.num_bytes / 1e6:.2f} MB) in "
        f"{len(manifest.tensors)} tensors, the change of the model by this node's examples; "
        f"and {len(sums_for(metric))} sums: {', '.join(sums_for(metric))}{stays}"
    )
