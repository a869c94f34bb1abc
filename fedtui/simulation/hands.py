"""Hands: the trainers of all simulated nodes, on one engine; the `Work` of a village.

A job is handed to the engine when the node begins with it and fetched when the node is done with
it, both in virtual time. What is remembered of an earlier beginning is not done again. A job that
was still under way when its run was stopped is: `pending_rounds` says which models such jobs need.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from fedtui.combining import bounding
from fedtui.combining.restoring import restored
from fedtui.combining.visible import unfit
from fedtui.learning.params import Manifest, Vector
from fedtui.rounds import beside, compression
from fedtui.rounds.machine import Measure, Train
from fedtui.rounds.plan import Plan
from fedtui.rounds.shrinking import Spot
from fedtui.simulation import work
from fedtui.simulation.engine import Engine, Ticket
from fedtui.simulation.ground import EVALUATOR
from fedtui.simulation.jobs import Failed, Measured, MeasureJob, Trained, TrainJob
from fedtui.simulation.memory import JobKey, Memory, Remembered
from fedtui.simulation.mixing import Values
from fedtui.simulation.node_host import NodeHost, vector_digest

if TYPE_CHECKING:
    from fedtui.wire.messages import ModelRef

Models = Mapping[bytes, Vector | None]
OnFailure = Callable[[JobKey, Failed], None]


class Hands:
    """Does what machines ask of trainers. `models` are those that the coordinator holds."""

    def __init__(
        self,
        engine: Engine,
        memory: Memory,
        *,
        manifest: Manifest,
        plan: Plan,
        on_failure: OnFailure,
    ) -> None:
        self.models: Callable[[], Models] = dict
        self.results: dict[JobKey, Remembered] = {}
        self._engine = engine
        self._memory = memory
        self._manifest = manifest
        self._plan = plan
        self._chain = compression.chain(plan, manifest.num_values)
        self._longest = bounding.longest(plan, manifest.num_values)
        self._on_failure = on_failure
        self._given: set[bytes] = set()
        self._pending: dict[JobKey, ModelRef] = {}  # the model that each job under way needs
        self._judgement: tuple[Vector | None, bytes, str] = (None, b"", "")

    def begin(self, node: NodeHost, asked: Train | Measure) -> work.Duty:
        index = EVALUATOR if node.role == "evaluator" else node.index
        if isinstance(asked, Train):
            key = JobKey("train", index, asked.round, asked.attempt)
        else:
            key = JobKey("measure", index, asked.round, 0)
        known = self._memory.job(key)
        if known is not None:
            return _Done(self, key, known)
        digest = asked.model.digest
        if not self._give(digest):  # told again, and given up then: nobody will ask for it
            return _Done(self, key, Failed("this job came to nothing"))
        self._pending[key] = asked.model
        if isinstance(asked, Train):
            held = self._memory.holding.before(index, asked.round)
            share = node.share_of(asked)
            train = TrainJob(index, asked.round, asked.attempt, digest, held, share)
            return _UnderWay(self, key, self._engine.submit(train))
        held = self._memory.holding.before(index, asked.round + 1)
        job = MeasureJob(index, asked.round, digest, held)
        return _UnderWay(self, key, self._engine.submit(job))

    @property
    def pending_rounds(self) -> set[int]:
        """The rounds after which the models were made that jobs under way need."""
        return {model.round for model in self._pending.values()}

    def given_up(self, key: JobKey) -> None:
        """Nobody waits for this job any more."""
        self._pending.pop(key, None)

    def _give(self, digest: bytes) -> bool:
        """Let the engine have the model if it is at hand, and let go of those that are not."""
        if digest in self._given:
            return True
        models = self.models()
        model_D = models.get(digest)
        if model_D is None:
            model_D = self._memory.model(digest)
        if model_D is None:
            return False
        needed = {model.digest for model in self._pending.values()}
        for old in [one for one in self._given if one not in models and one not in needed]:
            self._engine.drop_model(old)
            self._given.discard(old)
        self._engine.put_model(digest, model_D)
        self._given.add(digest)
        return True

    def finished(self, key: JobKey, ticket: Ticket) -> work.Trained | work.Measured | work.Failed:
        """What came of a job under way; written down."""
        self.given_up(key)
        outcome = ticket.outcome()
        match outcome:
            case Failed():
                self._memory.job_done(key, outcome)
                self._on_failure(key, outcome)
                return work.Failed(outcome.reason)
            case Measured(sums=sums):
                self._memory.job_done(key, outcome)
                return work.Measured(sums)
            case Trained(update_D=update_D, num_examples=num_examples, sums=sums, held=held):
                if held:
                    self._memory.holding.hold(key.node, key.round, held)
                digest, flaw = self._judged(update_D, key.round)
                remembered = Remembered(digest, num_examples, sums, flaw)
                self.results[key] = remembered
                self._memory.job_done(key, remembered)
                parcel = work.Parcel(update_D, digest, update_D.nbytes, flaw)
                return work.Trained(parcel, beside.header(self._plan, num_examples, sums))

    def told_again(
        self, key: JobKey, known: Remembered | Measured | Failed
    ) -> work.Trained | work.Measured | work.Failed:
        """What came of it then; nobody looks into the update."""
        match known:
            case Failed(reason=reason):
                return work.Failed(reason)
            case Measured(sums=sums):
                return work.Measured(sums)
            case Remembered(digest=digest, num_examples=num_examples, sums=sums, flaw=flaw):
                self.results[key] = known
                parcel = work.Parcel(None, digest, self._num_bytes, flaw)
                return work.Trained(parcel, beside.header(self._plan, num_examples, sums))

    @property
    def _num_bytes(self) -> int:
        """Of what leaves of an update."""
        return 4 * self._chain.num_sent(self._manifest.num_values)

    def _judged(self, update_D: Vector, number: int) -> tuple[bytes, str]:
        """Digest, and what is wrong with it; made once of a task that gives one array only."""
        if self._judgement[0] is not update_D:
            spot, num_values = Spot(self._plan.seed, number), self._manifest.num_values
            sent = Values(update_D)
            flaw = unfit(restored(sent, self._chain, spot, num_values), self._manifest)
            flaw = flaw or bounding.too_long(sent, self._longest) or ""
            self._judgement = (update_D, vector_digest(update_D), flaw)
        return self._judgement[1:]


class _UnderWay:
    """A job that the engine has."""

    def __init__(self, hands: Hands, key: JobKey, ticket: Ticket) -> None:
        self._hands = hands
        self._key = key
        self._ticket = ticket

    def finish(self) -> work.Trained | work.Measured | work.Failed:
        return self._hands.finished(self._key, self._ticket)

    def forget(self) -> None:
        self._hands.given_up(self._key)
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
