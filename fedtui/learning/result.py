"""What comes out of local training, and what is said while it runs. Free of torch."""

from dataclasses import dataclass

from fedtui.errors import FedtuiError
from fedtui.learning.params import Vector


class TrainError(FedtuiError):
    """Training gave nothing that may leave this node; the message is for people."""


@dataclass(frozen=True, slots=True)
class TrainProgress:
    """Said after every batch. Counts start at 1; `loss` is the mean over that batch."""

    epoch: int
    num_epochs: int
    batch: int
    num_batches: int
    num_examples_done: int
    loss: float


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    """The outcome of one node's training in one round.

    `update_D` is float32, local minus global, finite, in manifest order. `num_examples` is the
    number of examples trained on (each counted once, whatever the epochs): the update's weight.
    `sums` are `loss_sum` and `examples` over the batches as they were trained; `num_steps` counts
    those batches.
    """

    update_D: Vector
    num_examples: int
    sums: dict[str, float]
    num_steps: int = 1


class StoppedError(FedtuiError):
    """Training ended because the caller asked; nothing was produced."""
