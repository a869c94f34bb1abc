"""What a simulated federation remembers of an earlier beginning of the same run.

A run that was stopped is told again from its first moment: the machines say the same words at the
same virtual times, since everything follows from the seed. Only the expensive part is not done
again: what jobs and sums came out as was written down, and is remembered here. From the first
round that is not remembered the run goes on for real.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from fedtui.learning.params import Vector
from fedtui.rounds.machine import Aggregate, Aggregated, AggregationFailed
from fedtui.simulation.holding import Holding, InMemory
from fedtui.simulation.jobs import Failed, Measured
from fedtui.strategies.base import State

JobKind = Literal["train", "measure"]


@dataclass(frozen=True, slots=True)
class Remembered:
    """An update that was made once: its digest, what was said of it, what is wrong with it."""

    digest: bytes
    num_examples: int
    sums: dict[str, float]
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class JobKey:
    """Which job: `node` -1 is the evaluator; a measuring job has attempt 0."""

    kind: JobKind
    node: int
    round: int
    attempt: int


class Memory(Protocol):
    """Told what happens, and asked before it happens again."""

    @property
    def holding(self) -> Holding:
        """What the nodes hold for their strategy."""

    def job(self, key: JobKey) -> Remembered | Measured | Failed | None:
        """What came of this job; None if it is not remembered."""

    def sum(self, effect: Aggregate) -> Aggregated | AggregationFailed | None:
        """What came of combining these; None if it is not remembered."""

    def model(self, digest: bytes) -> Vector | None:
        """A model that came of a sum that is remembered, if it is at hand."""

    def state(self, digest: bytes) -> State | None:
        """What the strategy kept with that model."""

    def job_done(self, key: JobKey, outcome: Remembered | Measured | Failed) -> None: ...

    def sum_done(self, effect: Aggregate, answer: Aggregated | AggregationFailed) -> None: ...


class Forgetful:
    """Remembers nothing that could be told again: for a run that is not kept."""

    def __init__(self) -> None:
        self.holding: Holding = InMemory()

    def job(self, key: JobKey) -> None:
        del key

    def sum(self, effect: Aggregate) -> None:
        del effect

    def model(self, digest: bytes) -> None:
        del digest

    def state(self, digest: bytes) -> None:
        del digest

    def job_done(self, key: JobKey, outcome: Remembered | Measured | Failed) -> None:
        del key, outcome

    def sum_done(self, effect: Aggregate, answer: Aggregated | AggregationFailed) -> None:
        del effect, answer
