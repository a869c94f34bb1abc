"""What the trainer is asked to do for this node: jobs from the plan and the operator's decisions.

One job at a time. What came of it goes back as an event of rounds/machine.py, so the service can
hand it to the machine; a job that was cancelled says nothing.
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fedtui.learning.data import DataSource
from fedtui.learning.metrics import said, sums_for
from fedtui.learning.sections import widened
from fedtui.rounds import beside, compression, hiding, machine, masking_steps, strategic
from fedtui.status import CheckReport, Refused
from node import jobs, own_scores
from node.alone import exit_code
from node.config import parse_shard
from node.exits import Exit, Stop
from node.updates import Update

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from fedtui.rounds.machine import Measure, ParticipantEvent, Train
    from fedtui.rounds.masking_steps import Prepare
    from fedtui.rounds.plan import Plan
    from fedtui.telling.agreement import Agreement
    from fedtui.wire.messages import Role
    from node.config import NodeConfig
    from node.models import Models
    from node.trainer import Trainer
    from node.updates import Updates

_KINDS: dict[jobs.FailureKind, str] = {
    "data": "its data cannot be used",
    "missing": "its data is not there",
    "task": "its task failed",
    "training": "its training failed",
    "crashed": "its trainer ended",
    "memory": "its trainer used too much memory",
    "internal": "a bug in its trainer",
}


@dataclass(frozen=True, slots=True)
class Places:
    """Where a job finds its files and leaves what it makes."""

    models: Models
    updates: Updates
    tasks: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Hears:
    """Who is told, on this machine, what the trainer says.

    `judged` is of the model of a round, on this node's own hold-out, and says why nothing trained
    on it may be sent, if so; `drifted` of the update before. `data` is told of the examples each
    time that something was made of them, and says why that must not be used, if so; `checked` of
    those that a check read. `noticed` and `failed` get the trainer's own words.
    """

    progress: Callable[[jobs.Progress], None]
    judged: Callable[[int, jobs.Judged], str]
    drifted: Callable[[jobs.Drift], None]
    data: Callable[[jobs.DataSeen], str]
    checked: Callable[[jobs.DataSeen], None]
    noticed: Callable[[str], None]
    failed: Callable[[str], None]


class Work:
    """Runs jobs for one agreement. `tell` gets the events, `hears` what stays on this machine.

    Why a job failed is told to the coordinator by its kind only: the words of a failure may name
    files, or hold values, of the operator's data.
    """

    def __init__(
        self,
        *,
        trainer: Trainer,
        places: Places,
        tell: Callable[[ParticipantEvent], None],
        hears: Hears,
    ) -> None:
        self._trainer = trainer
        self._places = places
        self._tell = tell
        self._hears = hears
        self._last_id = 0
        self._running: asyncio.Task[None] | None = None
        self._masking: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._number = 0
        self._queue = asyncio.Lock()

    def train(self, effect: Train, agreement: Agreement, config: NodeConfig) -> None:
        """Train, or find the update that an earlier life of this node made for the same round."""
        failed = partial(machine.JobFailed, effect.round, effect.attempt)
        try:
            kept = self._places.updates.kept_for(effect.round, effect.model.digest)
            if kept is None:
                self._places.updates.drop()
        except OSError as error:
            self._tell(failed(f"the node's disk fails: {error.strerror or error}"))
            return
        if kept is not None:
            self._tell(_trained(effect, kept))
            return
        self._begin(lambda number: self._train(effect, agreement, config, number), failed)

    def measure(self, effect: Measure, agreement: Agreement, config: NodeConfig) -> None:
        failed = partial(machine.JobFailed, effect.round, 0)
        self._begin(lambda number: self._measure(effect, agreement, config, number), failed)

    def mask(self, effect: Prepare) -> None:
        """Make the vector that leaves of the update at hand, anew for every attempt."""
        failed = partial(machine.JobFailed, effect.round, effect.attempt)
        self._begin(lambda number: self._mask(effect, number), failed)
        self._masking = self._running

    def stop_masking(self) -> None:
        """The update is dropped: nothing is made of it any more."""
        if self._masking is not None and self._masking is self._running:
            self.cancel()

    def cancel(self) -> None:
        """Stop what runs; nothing more is heard of it. The trainer stays for the next job."""
        self._number += 1
        if self._running is not None and not self._running.done():
            self._stopping = asyncio.create_task(self._trainer.cancel())
        self._running = None

    async def close(self) -> None:
        self.cancel()
        await self._trainer.close()

    async def check(self, agreement: Agreement, config: NodeConfig) -> CheckReport:
        """Try task and data once. Sends nothing."""
        if config.role == "observer":
            return CheckReport(facts=("an observer needs no data", "would send its name and keys"))
        job = jobs.CheckJob(
            job_id=self._next_id(),
            task=task_ref(agreement, config, self._places.tasks),
            data=data_source(config),
            training=agreement.plan.training,
        )
        async with self._queue:
            outcome = await self._trainer.run(job, on_progress=self._hears.progress)
        if isinstance(outcome, jobs.Checked):
            self._hears.checked(outcome.data)
        return _report(outcome, agreement, config.role)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _begin(
        self,
        job: Callable[[int], Coroutine[None, None, None]],
        failed: Callable[[str], machine.JobFailed],
    ) -> None:
        """Stop what runs and start a job; its number tells it later whether it is still wanted."""
        self.cancel()
        self._running = asyncio.create_task(self._guarded(job, failed, self._number))

    async def _guarded(
        self,
        job: Callable[[int], Coroutine[None, None, None]],
        failed: Callable[[str], machine.JobFailed],
        number: int,
    ) -> None:
        """Whatever goes wrong fails the job: nobody waits for its deadline."""
        try:
            await job(number)
        except OSError as error:
            reason = f"the node's disk fails: {error.strerror or error}"
        except Refused as error:
            reason = error.text
        except Exception as error:  # noqa: BLE001 - the round must not wait for our bug
            traceback.print_exc()  # for this machine's log only: the reason is told to others
            reason = f"a bug in fedtui ({type(error).__name__})"
        else:
            return
        if number == self._number:
            self._tell(failed(reason))

    async def _run(self, job: jobs.Job, number: int) -> jobs.Outcome | None:
        """Do a job after the one before has stopped; None if it is not wanted any more."""
        async with self._queue:
            if number != self._number:
                return None
            outcome = await self._trainer.run(job, on_progress=self._hears.progress)
        return outcome if number == self._number else None

    @property
    def _federation(self) -> str:
        return self._places.models.owner.federation_id

    async def _train(
        self, effect: Train, agreement: Agreement, config: NodeConfig, number: int
    ) -> None:
        plan = agreement.plan
        shard, _ = parse_shard(config.data.shard)
        held_in, held_out = "", ""
        num_values = agreement.manifest.num_values
        if compression.holds(plan, num_values):
            federation = self._federation
            before, after = self._places.updates.holding.begin(federation, effect.round)
            held_in, held_out = str(before or ""), str(after)
        job = jobs.TrainJob(
            job_id=self._next_id(),
            task=task_ref(agreement, config, self._places.tasks),
            data=data_source(config),
            manifest=agreement.manifest,
            model_path=str(self._places.models.path(effect.model.digest)),
            training=plan.training,
            seed=plan.seed,
            round=effect.round,
            node_index=shard,
            out_path=str(self._places.updates.path),
            strategy=plan.strategy.name,
            strategy_options=plan.strategy.options,
            holdout=plan.evaluation.held_out,
            judge=own_scores.MOST_EXAMPLES,
            held_in=held_in,
            held_out=held_out,
            within_s=effect.within_s if plan.deadlines.partial else None,
            transforms=compression.chosen(plan, num_values).steps,
            noise=None if plan.masked else hiding.at_node(plan),
        )
        outcome = await self._run(job, number)
        match outcome:
            case jobs.Trained():
                for words in outcome.notices:
                    self._hears.noticed(words)
                why = self._hears.data(outcome.data)
                if not why and outcome.judged is not None:
                    why = self._hears.judged(effect.round, outcome.judged)
                if why:
                    self._places.updates.drop()
                    self._tell(machine.JobFailed(effect.round, effect.attempt, why))
                    return
                if outcome.drift is not None:
                    self._hears.drifted(outcome.drift)
                update = Update(
                    round=effect.round,
                    model=effect.model.digest.hex(),
                    digest=outcome.digest,
                    num_bytes=4 * compression.chain(plan, num_values).num_sent(num_values),
                    header=beside.header(plan, outcome.num_examples, outcome.sums),
                )
                self._places.updates.keep(update)
                self._tell(_trained(effect, update))
            case jobs.JobFailed():
                reason = self._told(effect.round, outcome)
                self._tell(machine.JobFailed(effect.round, effect.attempt, reason))
            case _:
                pass

    async def _measure(
        self, effect: Measure, agreement: Agreement, config: NodeConfig, number: int
    ) -> None:
        plan = agreement.plan
        held = None
        if strategic.held(plan):
            held = self._places.updates.holding.after(self._federation, effect.round)
        job = jobs.EvaluateJob(
            job_id=self._next_id(),
            task=task_ref(agreement, config, self._places.tasks),
            data=data_source(config),
            manifest=agreement.manifest,
            model_path=str(self._places.models.path(effect.model.digest)),
            seed=plan.seed,
            holdout=0.0 if config.role == "evaluator" else plan.evaluation.held_out,
            strategy=plan.strategy.name,
            strategy_options=plan.strategy.options,
            held_in=str(held or ""),
        )
        outcome = await self._run(job, number)
        match outcome:
            case jobs.Evaluated() if plan.masked and outcome.sums.keys() != _summed(plan):
                reason = f"the task here does not give exactly the sums of {plan.task.metric}"
                self._tell(machine.JobFailed(effect.round, 0, reason))
            case jobs.Evaluated():
                if why := self._hears.data(outcome.data):
                    self._tell(machine.JobFailed(effect.round, 0, why))
                else:
                    self._tell(machine.Measured(effect.round, outcome.sums))
            case jobs.JobFailed():
                reason = self._told(effect.round, outcome)
                self._tell(machine.JobFailed(effect.round, 0, reason))
            case _:
                pass

    async def _mask(self, effect: Prepare, number: int) -> None:
        updates = self._places.updates
        updates.drop_masked()
        job = jobs.MaskJob(
            job_id=self._next_id(),
            update_path=str(updates.path),
            out_path=str(updates.masked),
            encoding=effect.encoding,
            scalars=effect.scalars,
            weight=effect.weight,
            rounding_seed=effect.rounding_seed,
            plus=effect.masks.plus,
            minus=effect.masks.minus,
            keystream=effect.masks.keystream,
            noise=effect.noise,
        )
        outcome = await self._run(job, number)
        match outcome:
            case jobs.Masked():
                self._tell(
                    masking_steps.Prepared(
                        effect.round,
                        effect.attempt,
                        digest=bytes.fromhex(outcome.digest),
                        num_bytes=outcome.num_bytes,
                        num_saturated=outcome.num_saturated,
                    )
                )
            case jobs.JobFailed():
                reason = self._told(effect.round, outcome)
                self._tell(machine.JobFailed(effect.round, effect.attempt, reason))
            case _:
                pass

    def _told(self, number: int, failure: jobs.JobFailed) -> str:
        """What others hear of a failure; its own words go to this node's operator."""
        self._hears.failed(f"round {number}: {failure.reason}")
        return f"{_KINDS[failure.kind]}; its operator is told why"


def _summed(plan: Plan) -> set[str]:
    """What masked sums are made of: exactly these have a place in the vector."""
    return set(sums_for(plan.task.metric))


def task_ref(agreement: Agreement, config: NodeConfig, folder: Path) -> jobs.TaskRef:
    """Which task the plan means here. Raises Stop if the operator must add its file."""
    task = agreement.plan.task
    if not task.sha256:
        return jobs.TaskRef(name=task.name, options=task.options, metric=task.metric)
    if config.task.sha256 != task.sha256:
        raise Stop(
            f"the plan needs the task file with hash {task.sha256}",
            remedy="fedtui task add FILE",
            exit_code=Exit.REFUSED,
        )
    return jobs.TaskRef(
        name=task.name,
        options=task.options,
        file=str(folder / f"{task.sha256}.py"),
        sha256=task.sha256,
        metric=task.metric,
    )


def data_source(config: NodeConfig) -> DataSource:
    """The operator's own examples, as the trainer is told of them."""
    shard, num_shards = parse_shard(config.data.shard)
    return DataSource(
        path=config.data.path,
        part="test" if config.role == "evaluator" else "train",
        split=config.data.split,
        shard=shard,
        num_shards=num_shards,
        seed=config.data.split_seed,
    )


def _strategys(agreement: Agreement) -> str:
    """What leaves for the strategy beside the model's own update, as the end of a sentence."""
    plan = agreement.plan
    vectors = [f"the change of {name}, as many numbers again" for name in strategic.carried(plan)]
    more = [*vectors, *strategic.scalars(plan)]
    if staying := strategic.staying(plan, agreement.manifest):
        more.append(f"zeros in place of tensors that stay here ({', '.join(staying)})")
    return f"; for strategy {plan.strategy.name}: {', '.join(more)}" if more else ""


def _trained(effect: Train, update: Update) -> machine.Trained:
    return machine.Trained(
        round=effect.round,
        attempt=effect.attempt,
        digest=bytes.fromhex(update.digest),
        num_bytes=update.num_bytes,
        header=update.header,
    )


def _report(outcome: jobs.Outcome, agreement: Agreement, role: Role) -> CheckReport:
    match outcome:
        case jobs.Checked():
            sends = outcome.sends + _strategys(agreement)
            if role == "evaluator":
                metric = agreement.plan.task.metric
                sends = f"{len(sums_for(metric))} sums over them, no update: {said(metric)}"
            facts = (f"{outcome.num_examples:,} examples of yours", f"would send {sends}")
            problems: tuple[str, ...] = ()
            if widened(outcome.manifest, strategic.carried(agreement.plan)) != agreement.manifest:
                problems = (
                    "the task's model on this machine is not the model of the plan: "
                    "check that both sides have the same version of the task",
                )
            elif why := compression.misfit_of(agreement.plan, agreement.manifest):
                problems = (f"the plan cannot be followed: {why}",)
            elif outcome.metric != agreement.plan.task.metric:
                wanted = agreement.plan.task.metric
                problems = (f"the task here measures {outcome.metric}, the plan {wanted}",)
            return CheckReport(facts=facts, problems=problems)
        case jobs.JobFailed():
            return CheckReport(problems=(outcome.reason,), exit_code=exit_code(outcome))
        case _:
            return CheckReport(problems=("the check was stopped",))
