"""A trainer without a process: every job is done at once, and masks are real."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from a_plan import MANIFEST, UPDATE, digest_of

from fedtui.learning.params import Manifest
from fedtui.secagg import masks
from fedtui.secagg.participant import Masks
from node import jobs
from node.trainer import TrainerLimits


@dataclass
class FakeTrainer:
    """Does every job at once: writes UPDATE, masks it for real, or fails with `failure`."""

    failure: str = ""
    kind: jobs.FailureKind = "data"
    hold: asyncio.Event | None = None
    on_cancel: Callable[[], None] = lambda: None
    done: list[jobs.Job] = field(default_factory=list)
    num_cancelled: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)  # while no job runs
    state: str = "idle"
    last_exit: str | None = None
    pid: int | None = None
    on_death: Callable[[str, tuple[str, ...]], None] | None = None
    manifest: Manifest = MANIFEST
    limits: TrainerLimits | None = None
    killed: bool = False

    def __post_init__(self) -> None:
        self.idle.set()

    async def start(self) -> None:
        pass

    async def run(
        self, job: jobs.Job, *, on_progress: Callable[[jobs.Progress], None]
    ) -> jobs.Outcome:
        if not self.idle.is_set():
            raise RuntimeError("the trainer does one job at a time")
        self.done.append(job)
        self.idle.clear()
        try:
            return await self._do(job)
        finally:
            self.idle.set()

    async def _do(self, job: jobs.Job) -> jobs.Outcome:
        if self.hold is not None:
            await self.hold.wait()
        if self.failure:
            return jobs.JobFailed(job_id=job.job_id, reason=self.failure, kind=self.kind)
        sums = {"correct": 3.0, "examples": 4.0, "loss_sum": 1.5}
        match job:
            case jobs.TrainJob():
                _write(job.out_path)
                return jobs.Trained(
                    job_id=job.job_id,
                    out_path=job.out_path,
                    digest=digest_of(UPDATE).hex(),
                    num_examples=4,
                    sums=sums,
                    seconds=0.1,
                )
            case jobs.MaskJob():
                return _mask(job)
            case jobs.EvaluateJob():
                return jobs.Evaluated(job_id=job.job_id, sums=sums)
            case jobs.CheckJob():
                return jobs.Checked(
                    job_id=job.job_id,
                    num_examples=4,
                    classes={},
                    manifest=self.manifest,
                    metric="accuracy",
                    sums=sums,
                    sends="260 numbers",
                )
            case _:
                return jobs.Cancelled(job_id=job.job_id)

    async def cancel(self) -> None:
        self.num_cancelled += 1
        if self.hold is not None:
            self.hold.set()
        self.on_cancel()
        await self.idle.wait()

    async def kill(self) -> None:
        self.killed = True
        if self.hold is not None:
            self.hold.set()
        await self.idle.wait()

    def limit(self, limits: TrainerLimits) -> None:
        self.limits = limits

    async def close(self) -> None:
        self.state = "stopped"


def _write(path: str) -> None:
    Path(path).write_bytes(UPDATE)


def _mask(job: jobs.MaskJob) -> jobs.Masked:
    update_D = np.frombuffer(Path(job.update_path).read_bytes(), "<f4")
    words, num_saturated = masks.masked(
        job.encoding,
        update_D,
        job.scalars,
        weight=job.weight,
        of=Masks(job.plus, job.minus, job.keystream),
    )
    data = words.astype("<u8").tobytes()
    Path(job.out_path).write_bytes(data)
    return jobs.Masked(
        job_id=job.job_id,
        out_path=job.out_path,
        digest=digest_of(data).hex(),
        num_bytes=len(data),
        num_saturated=num_saturated,
    )
