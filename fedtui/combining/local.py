"""A node's half of a round, for trainers and simulations: local training and its strategy.

Whoever can train comes as a `Learner`, and trains once, or twice if the node has a model of its
own beside the global one. What travels with the model is cut into the model itself and its vectors
before, and put together again after; what the node holds goes in and comes out, to be kept by the
caller.

Shapes: `_D` is the model's own size, `_W` that of the model with the vectors that travel.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np

from fedtui.learning.params import Params, ParamsError, Vector, first_outside, norm
from fedtui.learning.result import TrainError, TrainResult
from fedtui.learning.sections import joined, model_of, vectors_of
from fedtui.learning.training import TrainingSpec
from fedtui.strategies.base import Correct, Finished, Local, Strategy


@dataclass(frozen=True, slots=True, eq=False)
class Lap:
    """One training, the `number`th (from 0) `of` a round's; the strategy's correction for it."""

    correct: Correct
    extra_D: Vector | None
    training: TrainingSpec
    number: int = 0
    of: int = 1


class Learner(Protocol):
    """Trains on a node's own examples, and judges a model by them."""

    def train(self, model: Params, lap: Lap) -> TrainResult:
        """Train from the model, which stays as it is. Raises as trainer.py."""

    def loss(self, model: Params) -> float:
        """The mean loss of the model over the examples that it would train on."""


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What goes out and what stays. `own` is the model as this node would use it from now on.

    What training changed is `stretch` times the update that is sent of it.
    """

    update_W: Vector
    own: Params
    num_examples: int
    sums: dict[str, float]
    held: dict[str, Vector]
    stretch: float = 1.0


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
        ParamsError: the model does not carry what the strategy needs, or does not fit it.
    """
    model, held = _at_hand(strategy, received, held)
    carried = vectors_of(received, strategy.carried)
    loss = learner.loss(model) if strategy.needs_loss else math.nan
    began = strategy.begin(model, held)
    laps = 2 if strategy.trains_own else 1
    guide_D = strategy.guide(carried, held)
    result = learner.train(began, Lap(strategy.correct, guide_D, training, 0, laps))
    own_D = None
    if strategy.trains_own:
        unclipped = msgspec.structs.replace(training, update_clip=None)  # as it never leaves
        lap = Lap(strategy.correct_own, model.vector_D, unclipped, 1, laps)
        start = strategy.used(model, held)
        own_D = start.vector_D + learner.train(start, lap).update_D
    done = _finished(
        strategy,
        Local(
            update_D=result.update_D,
            began=began,
            num_steps=result.num_steps,
            training=training,
            carried=carried,
            held=held,
            own_D=own_D,
            loss=loss,
        ),
    )
    trained = Params(model.manifest, began.vector_D + result.update_D)
    own = strategy.used(trained, done.held)
    scalars = _checked(strategy, done)
    update_W = joined(done.update_D, done.changes, strategy.carried)
    held_now = {name: done.held[name] for name in strategy.held}
    sums = result.sums | scalars
    stretch = _stretch(result.update_D, done.update_D)
    return Learnt(update_W, own, result.num_examples, sums, held_now, stretch)


def _stretch(trained_D: Vector, sent_D: Vector) -> float:
    """By how much a strategy shortened an update; 1 for one that left it as it was."""
    length = norm(sent_D)
    if sent_D is trained_D or not length:
        return 1.0
    along = np.multiply(trained_D, sent_D, dtype=np.float64).sum()
    return float(along) / length**2


def _finished(strategy: Strategy, local: Local) -> Finished:
    try:
        return strategy.finish(local)
    except OverflowError as error:
        raise TrainError(
            f"what the strategy makes of the training is too large ({error}): lower the "
            "learning_rate, or the strategy's options"
        ) from error


def used(strategy: Strategy, received: Params, held: Mapping[str, Vector] | None) -> Params:
    """The model as a node uses it that holds this (None: nothing yet). ParamsError as `learn`."""
    return strategy.used(*_at_hand(strategy, received, held))


def _at_hand(
    strategy: Strategy, received: Params, held: Mapping[str, Vector] | None
) -> tuple[Params, dict[str, Vector]]:
    """The model alone, and what the node holds, or would if it had trained before."""
    model = model_of(received, strategy.carried)
    if why := strategy.misfit(model.manifest):
        raise ParamsError(why)
    found = dict(held or {})
    for name in strategy.held:
        if name not in found:
            found[name] = strategy.held_at_first(name, model)
        if found[name].shape != model.vector_D.shape:
            raise ParamsError(
                f"what this node holds for its strategy ({name}) is of another model"
            )
    return model, found


def _checked(strategy: Strategy, done: Finished) -> dict[str, float]:
    """The strategy's numbers, if all that it made is finite. Raises TrainError."""
    for vector in (done.update_D, *done.changes.values(), *done.held.values()):
        if first_outside(vector, limit=math.inf) is not None:
            raise TrainError(
                "what the strategy makes of the training holds NaN or Inf: lower the learning_rate"
            )
    scalars = {name: float(done.scalars[name]) for name in strategy.scalars}
    if not all(0 < value < math.inf for value in scalars.values()):
        raise TrainError(
            f"what the strategy says of the training is no positive number: {scalars}"
        )
    return scalars
