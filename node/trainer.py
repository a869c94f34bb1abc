"""The daemon's handle on its trainer: a child process that gets one job at a time.

The process starts with the first job and stays for the next, for importing torch takes seconds.
It is never trusted to behave: a cancelled job that does not stop within a grace is killed, a
process that dies says why in `last_exit`, and after a crash the next start waits (0.5 s, doubling
to 30 s) so that a trainer that dies at once cannot eat the machine. A job is never run twice by
itself: it fails with the cause, and who asked for it decides.

The child's environment lacks every FEDTUI_* variable (a passphrase may be one); of its stderr the
last 8 KiB are kept for the cause.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Literal, Protocol

from node.jobs import Cancelled, JobFailed
from node.trainer_process import TrainerLife, TrainerLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from node.jobs import Job, Outcome, Progress

__all__ = ["Trainer", "TrainerLimits", "TrainerProcess", "TrainerState"]

TrainerState = Literal["stopped", "starting", "idle", "busy", "waiting"]

_PAUSE_FIRST_S, _PAUSE_MOST_S = 0.5, 30.0


class Trainer(Protocol):
    """Runs jobs one at a time, away from the event loop. Tests use a fake."""

    @property
    def state(self) -> TrainerState:
        """`waiting` is the pause after a crash."""

    @property
    def last_exit(self) -> str | None:
        """Why the process last ended by itself, as a sentence; None while it never did."""

    @property
    def pid(self) -> int | None:
        """Process id while one runs."""

    on_death: Callable[[str, tuple[str, ...]], None] | None
    """Hears why a process ended by itself, and the last lines that it wrote to stderr."""

    async def start(self) -> None:
        """Start the process now rather than at the first job. `run` reports a failure."""

    async def run(self, job: Job, *, on_progress: Callable[[Progress], None]) -> Outcome:
        """Do a job and return how it ended; failures are outcomes, never exceptions.

        One at a time: a second call while one runs raises RuntimeError.
        """

    async def cancel(self) -> None:
        """Stop the running job, if any; returns when it has stopped. `run` returns Cancelled."""

    async def kill(self) -> None:
        """End the process at once, whatever it does. A running job ends as Cancelled."""

    def limit(self, limits: TrainerLimits) -> None:
        """Let these limits hold from now on, also in the job that runs."""

    async def close(self) -> None:
        """Stop the process. A running job ends as Cancelled. Idempotent."""


class TrainerProcess:
    """`Trainer` on a child process that runs node.trainer_child."""

    def __init__(
        self, limits: TrainerLimits, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._life: TrainerLife | None = None
        self._starting = asyncio.Lock()
        self._job: Job | None = None
        self._ended = asyncio.Event()  # of the running job: each has one of its own
        self._ended.set()
        self._stop_asked = asyncio.Event()
        self._num_crashes = 0
        self._not_before_s = 0.0
        self._pausing = False
        self._doomed = False  # killed while the process was being made
        self.last_exit: str | None = None
        self.on_death: Callable[[str, tuple[str, ...]], None] | None = None

    @property
    def state(self) -> TrainerState:
        """What the trainer is doing now."""
        if self._pausing:
            return "waiting"
        if self._life is None:
            return "stopped"
        if not self._life.ready.is_set():
            return "starting"
        return "idle" if self._job is None else "busy"

    @property
    def pid(self) -> int | None:
        """Process id of the running trainer."""
        return None if self._life is None else self._life.pid

    async def start(self) -> None:
        """Start the process if none runs, and wait until it takes jobs."""
        async with self._starting:
            if self._life is None:
                try:
                    limits, self._doomed = self._limits, False
                    self._life = await TrainerLife.begin(limits, self._on_end)
                except OSError as error:
                    self._on_end(f"the trainer cannot be started: {error.strerror}")
                    return
                if limits != self._limits:
                    self._life.bound(self._limits)
                if self._doomed:
                    self._life.kill()
            await self._life.ready.wait()

    async def run(self, job: Job, *, on_progress: Callable[[Progress], None]) -> Outcome:
        """Do a job and return how it ended."""
        if self._job is not None:
            raise RuntimeError("the trainer does one job at a time")
        self._job = job
        ended = self._ended = asyncio.Event()
        self._stop_asked.clear()
        try:
            outcome = await self._run(job, on_progress)
        except asyncio.CancelledError:
            self._kill()  # nobody will read its replies: the next job gets a fresh process
            raise
        finally:
            self._job = None
            ended.set()
        if not (isinstance(outcome, JobFailed) and outcome.kind in {"crashed", "memory"}):
            self._num_crashes = 0
        return outcome

    async def cancel(self) -> None:
        """Ask the running job to stop; kill the process if it has not within the grace."""
        if self._job is None:
            return
        ended = self._ended  # when we come back from waiting, the next job may run already
        self._stop_asked.set()
        if self._life is not None:
            self._life.cancel(self._job.job_id)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), self._limits.cancel_grace_s)
        if not ended.is_set():
            self._kill()
            await ended.wait()

    async def kill(self) -> None:
        """End the process at once; the next job gets a fresh one."""
        self._stop_asked.set()
        self._doomed = True
        life = self._life
        if life is not None:
            life.kill()
            await life.gone.wait()

    def limit(self, limits: TrainerLimits) -> None:
        """Let these limits hold from the next batch on."""
        self._limits = limits
        if self._life is not None and not self._life.ending:
            self._life.bound(limits)

    async def close(self) -> None:
        """Stop the process."""
        await self.cancel()
        life = self._life
        if life is not None:
            life.let_go()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(life.gone.wait(), self._limits.cancel_grace_s)
            life.kill()
            await life.gone.wait()

    async def _run(self, job: Job, on_progress: Callable[[Progress], None]) -> Outcome:
        if self._life is not None and self._life.ending:
            await self._life.gone.wait()
        if self._life is None:
            await self._pause()
        if not self._stop_asked.is_set():
            await self.start()
        life = self._life
        if self._stop_asked.is_set():
            return Cancelled(job_id=job.job_id)
        outcome = None if life is None else await life.do(job, on_progress)
        if outcome is None and self._stop_asked.is_set():
            return Cancelled(job_id=job.job_id)
        if outcome is None:
            reason = self.last_exit or "the trainer ended"
            return JobFailed(job_id=job.job_id, reason=reason, kind="crashed")
        if life is not None and isinstance(outcome, JobFailed) and outcome.kind == "memory":
            await life.gone.wait()
            self._on_end(outcome.reason)
        return outcome

    async def _pause(self) -> None:
        """Sit out the pause after a crash, unless the job is cancelled meanwhile."""
        left_s = self._not_before_s - self._clock()
        if left_s <= 0:
            return
        self._pausing = True
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop_asked.wait(), left_s)
        finally:
            self._pausing = False

    def _on_end(self, cause: str | None) -> None:
        """The process is gone, or could not start. No cause: it was we who ended it."""
        last_words = self._life.last_words if self._life is not None else ()
        self._life = None
        if cause is None:
            return
        if self.on_death is not None:
            self.on_death(cause, last_words)
        self.last_exit = cause
        pause_s = min(_PAUSE_FIRST_S * 2**self._num_crashes, _PAUSE_MOST_S)
        self._num_crashes += 1
        self._not_before_s = self._clock() + pause_s

    def _kill(self) -> None:
        if self._life is not None:
            self._life.kill()
