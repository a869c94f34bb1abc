"""A node's half of a round, for trainers and simulations: local training and its strategy.

Whoever can train comes as a `Learner`. What travels with the model is cut into the model itself
and its vectors before, and put together again after; what the node holds goes in and comes out, to
be kept by the caller.

Shapes: `_D` is the model's own size, `_W` that of the model with the vectors that travel.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fedtui.learning.params import Params, Vector, first_outside
from fedtui.learning.result import TrainError, TrainResult
from fedtui.learning.sections import joined, model_of, vectors_of
from fedtui.learning.training import TrainingSpec
from fedtui.strategies.base import Local, Strategy


class Learner(Protocol):
    """Trains on a node's own examples, and judges a model by them."""

    def train(self, model: Params, extra_D: Vector | None) -> TrainResult:
        """Train with the strategy's `correct` and its `extra_D`. Raises as trainer.py."""

    def loss(self, model: Params) -> float:
        """The mean loss of the model over the examples that it would train on."""


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What goes out and what stays. `local_D` is what training changed, whatever is sent of it."""

    update_W: Vector
    local_D: Vector
    num_examples: int
    sums: dict[str, float]
    held: dict[str, Vector]


def learn(
    strategy: Strategy,
    training: TrainingSpec,
    received: Params,
    held: Mapping[str, Vector] | None,
    learner: Learner,
) -> Learnt:
    """Train from what was received; `held` is what the node holds (None: nothing yet).

    Raises:
        TrainError: what would be sent or held is not finite, and what training raises.
        ParamsError: the model does not carry what the strategy needs.
    """
    model = model_of(received, strategy.carried)
    carried = vectors_of(received, strategy.carried)
    if held is None:
        held = {name: np.zeros_like(model.vector_D) for name in strategy.held}
    loss = learner.loss(model) if strategy.needs_loss else math.nan
    result = learner.train(model, strategy.guide(carried, held))
    done = strategy.finish(
        Local(
            update_D=result.update_D,
            num_steps=result.num_steps,
            training=training,
            carried=carried,
            held=held,
            loss=loss,
        )
    )
    update_W = joined(done.update_D, done.changes, strategy.carried)
    for vector in (update_W, *done.held.values()):
        if first_outside(vector, limit=math.inf) is not None:
            raise TrainError(
                "what the strategy makes of the training holds NaN or Inf: lower the learning_rate"
            )
    scalars = {name: float(done.scalars[name]) for name in strategy.scalars}
    if not all(0 < value < math.inf for value in scalars.values()):
        raise TrainError(
            f"what the strategy says of the training is no positive number: {scalars}"
        )
    held_now = {name: done.held[name] for name in strategy.held}
    sums = result.sums | scalars
    return Learnt(update_W, result.update_D, result.num_examples, sums, held_now)
