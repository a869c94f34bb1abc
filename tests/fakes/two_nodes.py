"""Two nodes with one number each to learn: rounds small enough to be computed by hand.

Node k has F_k(w) = (w - b_k)**2 / 2 with b = 1 and -3, so its gradient is w - b_k; the mean
objective is least at -1. A model of two tensors has their sum for w. Everything but the gradient
is the code that real rounds run.
"""

from dataclasses import dataclass, field

import numpy as np

from fedtui.aggregators.mean import Mean
from fedtui.combining.local import Lap, learn
from fedtui.combining.visible import Recipe, Start
from fedtui.learning.params import Manifest, Params, TensorSpec
from fedtui.learning.result import TrainResult
from fedtui.learning.sections import vectors_of, widened
from fedtui.learning.training import TrainingSpec
from fedtui.rounds.lateness import BEHIND
from fedtui.rounds.machine import Aggregate, Contribution
from fedtui.simulation.mixing import Mixer, Values
from fedtui.simulation.world import small_plan
from fedtui.strategies.base import State, Strategy
from fedtui.wire.messages import ModelRef

ONE = Manifest((TensorSpec("w", (1,)),))
TWO = Manifest((TensorSpec("body.w", (1,)), TensorSpec("head.w", (1,))))
OPTIMA = (1.0, -3.0)


@dataclass(frozen=True)
class Quadratic:
    """A Learner that takes plain steps, with momentum if the plan says so."""

    optimum: float
    num_steps: int
    num_examples: int

    def train(self, model: Params, lap: Lap) -> TrainResult:
        w, velocity = model.vector_D.copy(), np.zeros_like(model.vector_D)
        for _ in range(self.num_steps):
            plain = np.full_like(w, w.sum() - self.optimum)
            grad = lap.correct(plain, w, model.vector_D, lap.extra_D)
            velocity = lap.training.momentum * velocity + np.asarray(grad)
            w = (w - lap.training.learning_rate * velocity).astype(np.float32)
        sums = {"loss_sum": 0.0, "examples": float(self.num_examples)}
        return TrainResult(w - model.vector_D, self.num_examples, sums, self.num_steps)

    def loss(self, model: Params) -> float:
        return float((model.vector_D[0] - self.optimum) ** 2 / 2)


@dataclass
class TwoNodes:
    """A federation of two; `steps`, `examples` and rounds `behind` are each node's; 1/2 a step."""

    strategy: Strategy
    steps: tuple[int, int] = (2, 2)
    examples: tuple[int, int] = (1, 1)
    momentum: float = 0.0
    behind: tuple[int, int] = (0, 0)
    manifest: Manifest = ONE
    held: list[dict[str, np.ndarray] | None] = field(default_factory=lambda: [None, None])
    state: State | None = None
    vector: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        manifest = widened(self.manifest, self.strategy.carried)
        self.mixer = Mixer(Recipe(manifest, Mean(), self.strategy), small_plan())
        self.vector = np.zeros(manifest.num_values, np.float32)
        self.state = self.mixer.first_state()

    def round(self) -> float:
        """One round; the model after it."""
        training = TrainingSpec(learning_rate=0.5, momentum=self.momentum)
        received = Params(self.mixer.recipe.manifest, self.vector)
        parts, updates = [], []
        for number, optimum in enumerate(OPTIMA):
            learner = Quadratic(optimum, self.steps[number], self.examples[number])
            done = learn(self.strategy, training, received, self.held[number], learner)
            self.held[number] = done.held
            scalars = {name: done.sums[name] for name in self.strategy.scalars}
            if self.behind[number]:
                scalars |= {BEHIND: float(self.behind[number])}
            parts.append(Contribution(b"%d" % number, bytes(32), done.num_examples, scalars))
            updates.append(done.update_W)
        base = ModelRef(round=0, digest=bytes(32), num_bytes=4)
        start = Start(Values(self.vector), self.state)
        mixed = self.mixer.mix(Aggregate(1, 1, base, tuple(parts)), start, updates)
        self.vector, self.state = mixed.model_D, mixed.kept
        return float(self.vector[0])

    @property
    def carried(self) -> dict[str, np.ndarray]:
        return vectors_of(Params(self.mixer.recipe.manifest, self.vector), self.strategy.carried)


AFTER_FEDAVG = -0.75
"""The model after a first round of FedAvg: nodes at 0.75 and -2.25, each after two steps."""
