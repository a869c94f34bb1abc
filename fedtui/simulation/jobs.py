"""What the trainer of a simulated node is asked for, and what it answers: plain data.

Any engine can carry it: to this process, to others on this machine, to a cluster. Models and
updates are flat float32 vectors of D values; a job names its model by digest.
"""

from dataclasses import dataclass

from fedtui.learning.params import Vector


@dataclass(frozen=True, slots=True)
class TrainJob:
    """Train node `node` (an index from 0) in a round, from the model with this digest.

    `share`, in (0, 1], is the part of its steps that fits into the time; one is made always.
    """

    node: int
    round: int
    attempt: int
    model: bytes
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class MeasureJob:
    """Evaluate the model after `round` on what node `node` holds out.

    `node` -1 is the evaluator: it measures on the task's test examples.
    """

    node: int
    round: int
    model: bytes


Job = TrainJob | MeasureJob


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """An update of D float32 values, as learning.result.TrainResult says it."""

    update_D: Vector
    num_examples: int
    sums: dict[str, float]


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
