"""Hands: the trainers of all simulated nodes, on one engine; the `Work` of a village.

A job is handed to the engine when the node begins with it and fetched when the node is done with
it, both in virtual time. What is remembered of an earlier beginning is not done again.
"""

from collections.abc import Callable, Mapping

from fedtui.learning.params import Vector
from fedtui.rounds.machine import Measure, Train
from fedtui.simulation import work
from fedtui.simulation.engine import Engine, Ticket
from fedtui.simulation.ground import EVALUATOR
from fedtui.simulation.jobs import Failed, Measured, MeasureJob, Trained, TrainJob
from fedtui.simulation.memory import JobKey, Memory, Remembered
from fedtui.simulation.node_host import NodeHost, vector_digest

Models = Mapping[bytes, Vector | None]
OnFailure = Callable[[JobKey, Failed], None]


class Hands:
    """Does what machines ask of trainers. `models` are those that the coordinator holds."""

    def __init__(
        self, engine: Engine, memory: Memory, *, num_bytes: int, on_failure: OnFailure
    ) -> None:
        self.models: Callable[[], Models] = dict
        self.results: dict[JobKey, Remembered] = {}
        self._engine = engine
        self._memory = memory
        self._num_bytes = num_bytes
        self._on_failure = on_failure
        self._given: set[bytes] = set()
        self._digests: tuple[Vector | None, bytes] = (None, b"")

    def begin(self, node: NodeHost, asked: Train | Measure) -> work.Duty:
        index = EVALUATOR if node.role == "evaluator" else node.index
        if isinstance(asked, Train):
            key = JobKey("train", index, asked.round, asked.attempt)
        else:
            key = JobKey("measure", index, asked.round, 0)
        known = self._memory.job(key)
        if known is not None:
            return _Done(self, key, known)
        if self._memory.is_past(key.round):  # it was begun then, too, and given up
            return _Done(self, key, Failed("this job came to nothing"))
        digest = asked.model.digest
        self._give(digest)
        if isinstance(asked, Train):
            job = TrainJob(index, asked.round, asked.attempt, digest)
            return _UnderWay(self, key, self._engine.submit(job))
        return _UnderWay(self, key, self._engine.submit(MeasureJob(index, asked.round, digest)))

    def _give(self, digest: bytes) -> None:
        """Let the engine have the model, and let go of those that the coordinator has dropped."""
        if digest in self._given:
            return
        models = self.models()
        model_D = models.get(digest)
        if model_D is None:
            raise LookupError(f"model {digest.hex()[:16]} is not at hand")
        for old in [known for known in self._given if known not in models]:
            self._engine.drop_model(old)
            self._given.discard(old)
        self._engine.put_model(digest, model_D)
        self._given.add(digest)

    def finished(self, key: JobKey, ticket: Ticket) -> work.Trained | work.Measured | work.Failed:
        """What came of a job under way; written down."""
        outcome = ticket.outcome()
        match outcome:
            case Failed():
                self._memory.job_done(key, outcome)
                self._on_failure(key, outcome)
                return work.Failed(outcome.reason)
            case Measured(sums=sums):
                self._memory.job_done(key, outcome)
                return work.Measured(sums)
            case Trained(update_D=update_D, num_examples=num_examples, sums=sums):
                digest = self._digest(update_D)
                remembered = Remembered(digest, num_examples, sums)
                self.results[key] = remembered
                self._memory.job_done(key, remembered)
                return work.sent(update_D, num_examples, sums, digest)

    def told_again(
        self, key: JobKey, known: Remembered | Measured | Failed
    ) -> work.Trained | work.Measured | work.Failed:
        """What came of it then; nobody looks into the update."""
        match known:
            case Failed(reason=reason):
                return work.Failed(reason)
            case Measured(sums=sums):
                return work.Measured(sums)
            case Remembered(digest=digest, num_examples=num_examples, sums=sums):
                self.results[key] = known
                parcel = work.Parcel(None, digest, self._num_bytes)
                return work.Trained(parcel, work.header(num_examples, sums))

    def _digest(self, update_D: Vector) -> bytes:
        """Of a task that always gives the very same array it is made once."""
        if self._digests[0] is not update_D:
            self._digests = (update_D, vector_digest(update_D))
        return self._digests[1]


class _UnderWay:
    """A job that the engine has."""

    def __init__(self, hands: Hands, key: JobKey, ticket: Ticket) -> None:
        self._hands = hands
        self._key = key
        self._ticket = ticket

    def finish(self) -> work.Trained | work.Measured | work.Failed:
        return self._hands.finished(self._key, self._ticket)

    def forget(self) -> None:
        self._ticket.forget()


class _Done:
    """A job that was done in an earlier beginning of the run."""

    def __init__(self, hands: Hands, key: JobKey, known: Remembered | Measured | Failed) -> None:
        self._hands = hands
        self._key = key
        self._known = known

    def finish(self) -> work.Trained | work.Measured | work.Failed:
        return self._hands.told_again(self._key, self._known)

    def forget(self) -> None:
        """It costs nothing."""
