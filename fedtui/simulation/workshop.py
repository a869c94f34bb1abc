"""Where jobs are done: one process's task, module and share of the ground, kept between jobs.

A job is done as a real node's trainer does it: the node's share, less what is held out, through
`Workbench.train` with the seed (plan's seed, round, node). So equal jobs give bit-equal outcomes
in whatever process, and the same as a real node's. What goes wrong in a job is its outcome; the
run goes on. Only lack of memory and the operator's Ctrl-C end it.

A node that attacks trains on `attack.examples` of its share, sends `attack.update` of what it
learned and claims what it likes; what it measures is honest, so that the score says what the model
is worth.
"""

from __future__ import annotations

import functools
import math
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fedtui import plugins
from fedtui.combining.local import learn, used
from fedtui.learning import metrics
from fedtui.learning.data import DataError, Examples
from fedtui.learning.loop import Hooks
from fedtui.learning.params import Params, first_outside
from fedtui.learning.partition import holdout
from fedtui.learning.result import TrainError
from fedtui.learning.sections import widened
from fedtui.learning.task import FixedUpdate, prepared
from fedtui.learning.trainer import Workbench, set_num_threads, use_device
from fedtui.privacy.noise import noised
from fedtui.rounds import compression, hiding, strategic
from fedtui.rounds.shrinking import Spot, sent
from fedtui.simulation.blame import sentence
from fedtui.simulation.draws import noise_seed
from fedtui.simulation.ground import EVALUATOR
from fedtui.simulation.jobs import Failed, Measured, Trained, TrainJob
from fedtui.simulation.shift import shifted

if TYPE_CHECKING:
    from fedtui.attacks.base import Attack
    from fedtui.combining.local import Lap, Learnt
    from fedtui.learning.loop import Correct
    from fedtui.learning.params import Manifest, Vector
    from fedtui.learning.partition import Indices
    from fedtui.learning.result import TrainResult
    from fedtui.learning.task import Task
    from fedtui.learning.training import TrainingSpec
    from fedtui.rounds.plan import Plan
    from fedtui.simulation.ground import Ground, Setup
    from fedtui.simulation.jobs import Job, MeasureJob, Outcome

_LIE = 1  # keeps what an attack draws apart from what the node's training draws
_CUTS_KEPT = 1024


class Workshop:
    """Does jobs, one at a time. Sets this process's torch threads.

    Raises PluginError for a task, a strategy or an attack that does not exist or fit.
    """

    def __init__(self, setup: Setup, ground: Ground) -> None:
        task = setup.task()
        attacks = {
            node: plugins.build("attacks", name, **options)
            for node, (name, options) in setup.attacks.items()
        }
        self._craft: _Fixed | _Learner
        if isinstance(task, FixedUpdate):
            self._craft = _Fixed(task, setup, attacks)
        else:
            set_num_threads(setup.num_threads)
            use_device(setup.device)
            self._craft = _Learner(task, setup, ground, attacks)

    def do(self, job: Job, model_D: Vector) -> Outcome:
        """The outcome of a job on the model that it names; `model_D` is left as it is.

        Raises only MemoryError (and KeyboardInterrupt): any other error is an outcome.
        """
        try:
            if isinstance(job, TrainJob):
                return self._craft.train(job, model_D)
            return self._craft.measure(job, model_D)
        except MemoryError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - tasks are foreign code
            return Failed(sentence(error), "".join(traceback.format_exception(error)))


class _Fixed:
    """The craft of a task that trains nothing."""

    def __init__(self, task: FixedUpdate, setup: Setup, attacks: dict[int, Attack]) -> None:
        self._task = task
        self._plan = setup.plan
        self._seed = setup.plan.seed
        self._attacks = attacks
        strategy = strategic.built(setup.plan)
        self._manifest = widened(task.manifest(), strategy.carried)
        self._sums = {n: float(n == "examples") for n in metrics.sums_for(task.metric)}
        self._sums |= dict.fromkeys(strategy.scalars, 1.0)
        self._chain = compression.chain(setup.plan, self._manifest.num_values)
        self._checked: Vector | None = None

    def train(self, job: TrainJob, model_D: Vector) -> Trained:  # noqa: ARG002 - as _Learner's
        update_D = self._task.fixed_update(self._manifest, self._seed)
        if update_D is not self._checked:
            bad = first_outside(update_D, limit=np.inf)
            if bad is not None:
                raise TrainError(f"value {bad} of the task's update is NaN or Inf")
            self._checked = update_D
        attack = self._attacks.get(job.node)
        if attack is None:
            return self._leaving(job, update_D, 1)
        update_D = attack.update(update_D, _liar(self._seed, job))
        return self._leaving(job, update_D, attack.claimed(1))

    def _leaving(self, job: TrainJob, update_D: Vector, num_examples: int) -> Trained:
        leaving = sent(self._chain, update_D, job.held, Spot(self._seed, job.round))
        return Trained(
            _hidden(self._plan, job, leaving.vector_M),
            num_examples,
            dict(self._sums),
            leaving.held,
        )

    def measure(self, job: MeasureJob, model_D: Vector) -> Measured:  # noqa: ARG002
        names = metrics.sums_for(self._task.metric)
        return Measured({name: self._sums[name] for name in names})


class _Learner:
    """The craft of a task that learns: shares, what is held out, the workbench."""

    def __init__(
        self, task: Task, setup: Setup, ground: Ground, attacks: dict[int, Attack]
    ) -> None:
        self._plan = plan = setup.plan
        self._population = setup.population
        self._data_seed = setup.data_seed  # also of what the shift draws
        self._task = task
        self._ground = ground
        self._attacks = attacks
        self._bench = Workbench(task)
        self._strategy = strategic.built(plan)
        self._cut = functools.lru_cache(_CUTS_KEPT)(
            functools.partial(holdout, fraction=plan.evaluation.held_out, seed=plan.seed)
        )

    def train(self, job: TrainJob, model_D: Vector) -> Trained:
        examples, rows = self._rows(job.node, held=False)
        attack = self._attacks.get(job.node)
        if attack is None:
            done = self._learn(job, model_D, examples, rows)
            return self._leaving(job, done.update_W, done.num_examples, done.sums, done.held)
        rng = _liar(self._plan.seed, job)
        if not attack.trains:
            update_D = attack.update(np.zeros_like(model_D), rng)
            sums = {"loss_sum": 0.0, "examples": 0.0} | dict.fromkeys(self._strategy.scalars, 1.0)
            return self._leaving(job, update_D, attack.claimed(len(rows)), sums, {})
        own = examples.take(rows)
        examples = Examples(*attack.examples(own.x, own.y, self._num_classes, rng))
        done = self._learn(job, model_D, examples, np.arange(len(examples)))
        update_D = attack.update(done.update_W, rng)
        num_examples = attack.claimed(done.num_examples)
        return self._leaving(job, update_D, num_examples, done.sums, done.held)

    def _leaving(
        self,
        job: TrainJob,
        update_W: Vector,
        num_examples: int,
        sums: dict[str, float],
        held: dict[str, Vector],
    ) -> Trained:
        """What leaves of an update, as the plan makes it smaller."""
        chain = compression.chain(self._plan, len(update_W))
        leaving = sent(chain, update_W, job.held, Spot(self._plan.seed, job.round))
        hidden_M = _hidden(self._plan, job, leaving.vector_M)
        return Trained(hidden_M, num_examples, sums, held | leaving.held)

    def _learn(self, job: TrainJob, model_W: Vector, examples: Examples, rows: Indices) -> Learnt:
        seed = (self._plan.seed, job.round, job.node)
        training = _shortened(self._plan.training, len(rows), job.share)
        pupil = _Pupil(self._bench, seed, examples, rows)
        received = Params(self._wide, model_W)
        return learn(self._strategy, training, received, job.held, pupil)

    @functools.cached_property
    def _wide(self) -> Manifest:
        return widened(self._bench.manifest, self._strategy.carried)

    def measure(self, job: MeasureJob, model_D: Vector) -> Measured:
        params = used(self._strategy, Params(self._wide, model_D), job.held)
        if job.node == EVALUATOR:
            if self._ground.test is None:
                raise DataError("the plan has no evaluator, so no test examples were read")
            return Measured(self._bench.evaluate(params, self._ground.test))
        held = bool(self._plan.evaluation.held_out)
        examples, rows = self._rows(job.node, held=held)
        return Measured(self._bench.evaluate(params, examples, rows=rows))

    def _rows(self, node: int, *, held: bool) -> tuple[Examples, Indices]:
        """Examples, and the rows of them that the node trains on, or measures on if `held`."""
        whole, share = self._ground.examples, self._ground.share(node)
        if whole is None:
            raise DataError("there are no data for this task")
        cut = self._cut(len(share))[held]
        if not self._ground.is_raw:
            return whole, share[cut]
        own = whole.take(share)
        if self._population.shift.name != "none":
            x = shifted(own.x, self._population.shift, self._data_seed, node)
            own = Examples(x, own.y)
        return prepared(self._task, own), cut

    @functools.cached_property
    def _num_classes(self) -> int:
        """How many classes there are; 0 when targets are no classes."""
        y = self._ground.examples.y if self._ground.examples is not None else np.zeros(0)
        if y.ndim != 1 or y.dtype.kind not in "iu":
            return 0
        return len(self._task.labels) or int(y.max()) + 1


@dataclass(frozen=True, slots=True)
class _Pupil:
    """One node on the workbench; see combining/local.py."""

    bench: Workbench
    seed: tuple[int, int, int]
    examples: Examples
    rows: Indices

    def train(self, model: Params, lap: Lap) -> TrainResult:
        correct: Correct = lap.correct  # type: ignore[assignment]  # tensors, too
        hooks = Hooks(correct=correct, extra_D=lap.extra_D)
        return self.bench.train(
            model, self.examples, lap.training, seed=self.seed, hooks=hooks, rows=self.rows
        )

    def loss(self, model: Params) -> float:
        return self.bench.loss(model, self.examples, rows=self.rows)


def _shortened(training: TrainingSpec, num_examples: int, share: float) -> TrainingSpec:
    """The same training, of so many of its steps only; at least one."""
    if share >= 1:
        return training
    num_batches = math.ceil(num_examples / training.batch_size)
    steps = int(share * (training.steps or training.epochs * num_batches))
    return msgspec.structs.replace(training, steps=max(1, steps))


def _hidden(plan: Plan, job: TrainJob, sent_M: Vector) -> Vector:
    """What leaves visible, clipped and with noise if the plan wants it so."""
    wanted = None if plan.masked else hiding.at_node(plan)
    if wanted is None:
        return sent_M
    return noised(sent_M, wanted, noise_seed(plan.seed, job.round, job.attempt, job.node))


def _liar(seed: int, job: TrainJob) -> np.random.Generator:
    return np.random.default_rng([seed, job.round, job.node, _LIE])
