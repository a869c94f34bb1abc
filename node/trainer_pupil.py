"""How the trainer process learns for one round, with the strategy's node half around it.

What the node holds for its strategy is read from one file and written to another, whole and
synced, before anybody hears that training is done (node/holding.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors
import safetensors.numpy

from fedtui import plugins
from fedtui.combining.local import learn, used
from fedtui.learning.result import TrainError
from fedtui.rounds.shrinking import Spot, built, sent
from node.paths import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from fedtui.combining.local import Lap, Learnt
    from fedtui.learning.data import Examples
    from fedtui.learning.params import Params, Vector
    from fedtui.learning.result import TrainProgress, TrainResult
    from fedtui.learning.task import Task
    from fedtui.strategies.base import Strategy
    from node.jobs import EvaluateJob, PredictJob, TrainJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Pupil:
    """A Learner on this node's examples; `side` is the module that knows torch."""

    side: ModuleType
    job: TrainJob
    task: Task
    examples: Examples
    strategy: Strategy
    progress: Callable[[TrainProgress], None]
    cancelled: Callable[[], bool]
    notice: Callable[[str], None]
    enough: Callable[[], bool] | None

    def train(self, model: Params, lap: Lap) -> TrainResult:
        job = self.job
        hooks = self.side.Hooks(
            correct=lap.correct,
            extra_D=lap.extra_D,
            progress=lambda said: self.progress(self._in_all(said, lap)),
            cancelled=self.cancelled,
            notice=self.notice,
            enough=self.enough,
        )
        result: TrainResult = self.side.train_locally(
            self.task,
            model,
            self.examples,
            lap.training,
            seed=(job.seed, job.round, job.node_index),
            hooks=hooks,
        )
        return result

    def _in_all(self, said: TrainProgress, lap: Lap) -> TrainProgress:
        """Progress of one lap as that of the whole round: all laps take equally long."""
        steps, num_examples = lap.training.steps or 0, len(self.examples)
        before = steps * lap.training.batch_size or lap.training.epochs * num_examples
        return replace(
            said,
            epoch=lap.number * said.num_epochs + said.epoch,
            num_epochs=lap.of * said.num_epochs,
            num_examples_done=lap.number * before + said.num_examples_done,
        )

    def loss(self, model: Params) -> float:
        found: float = self.side.Workbench(self.task).loss(
            model, self.examples, cancelled=self.cancelled
        )
        return found


def strategy_of(job: TrainJob | EvaluateJob | PredictJob) -> Strategy:
    """The strategy that the plan names. Raises PluginError."""
    strategy: Strategy = plugins.build("strategies", job.strategy, **job.strategy_options)
    return strategy


def learnt(pupil: Pupil, received: Params) -> Learnt:
    """What came of the round.

    Raises:
        TrainError: what was held cannot be read, and what training raises.
    """
    job = pupil.job
    return learn(pupil.strategy, job.training, received, _held(job), pupil)


def leaving(job: TrainJob, update_W: Vector, held: dict[str, Vector]) -> Vector:
    """What leaves of an update; what the node holds now, for its strategy too, is on disk.

    Raises:
        TrainError: what was held cannot be read, or is of another model.
    """
    chain = built(job.transforms)
    try:
        done = sent(chain, update_W, _held(job), Spot(job.seed, job.round))
    except ValueError as error:
        raise TrainError(f"{error}: remove {job.held_in}, and it begins anew") from error
    if held | done.held:
        write_atomically(Path(job.held_out), safetensors.numpy.save(held | done.held))
    return done.vector_M


def as_used(job: TrainJob | EvaluateJob | PredictJob, received: Params) -> Params:
    """The model as this node uses it, with what it held before the job. Raises as `learnt`."""
    return used(strategy_of(job), received, _held(job))


def _held(job: TrainJob | EvaluateJob | PredictJob) -> dict[str, Vector] | None:
    if not job.held_in:
        return None
    try:
        return dict(safetensors.numpy.load(Path(job.held_in).read_bytes()))
    except (OSError, safetensors.SafetensorError) as error:
        raise TrainError(
            f"what this node holds for its strategy cannot be read ({error}): remove "
            f"{job.held_in}, and it begins anew"
        ) from error
