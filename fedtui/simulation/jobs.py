"""What the trainer of a simulated node is asked for, and what it answers: plain data.

Any engine can carry it: to this process, to others on this machine, to a cluster. Models and
updates are flat float32 vectors of D values; a job names its model by digest.
"""

from dataclasses import dataclass, field

from fedtui.learning.params import Vector


@dataclass(frozen=True, slots=True)
class TrainJob:
    """Train node `node` (an index from 0) in a round, from the model with this digest.

    `held` is what the node holds for its strategy; None if it never trained.
    `share`, in (0, 1], is the part of its steps that fits into the time; one is made always.
    """

    node: int
    round: int
    attempt: int
    model: bytes
    held: dict[str, Vector] | None = field(default=None, compare=False)
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class MeasureJob:
    """Evaluate the model after `round` on what node `node` holds out.

    `node` -1 is the evaluator: it measures on the task's test examples. `held` as in TrainJob.
    """

    node: int
    round: int
    model: bytes
    held: dict[str, Vector] | None = field(default=None, compare=False)


Job = TrainJob | MeasureJob


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """An update of D float32 values, as combining.local.Learnt says it; what the node holds."""

    update_D: Vector
    num_examples: int
    sums: dict[str, float]
    held: dict[str, Vector] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """Sums over the examples that were measured, by name."""

    sums: dict[str, float]


@dataclass(frozen=True, slots=True)
class Failed:
    """The job gave nothing: a sentence, and the traceback for whoever mends the task."""

    reason: str
    traceback: str = ""


Outcome = Trained | Measured | Failed
