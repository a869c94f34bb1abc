"""The daemon's handle on its trainer: a child process with torch in it, fed one job at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from node.jobs import Job, Outcome, Progress

TrainerState = Literal["stopped", "starting", "idle", "busy", "waiting"]


class Trainer(Protocol):
    """Runs jobs one at a time, away from the event loop. Tests use a fake."""

    state: TrainerState
    last_exit: str | None

    async def start(self) -> None:
        """Start the process now rather than at the first job. Idempotent."""

    async def run(self, job: Job, *, on_progress: Callable[[Progress], None]) -> Outcome:
        """Do a job and return how it ended; failures are outcomes, never exceptions.

        One at a time: a second call while one runs raises RuntimeError.
        """

    async def cancel(self) -> None:
        """Stop the running job, if any; returns when it has stopped. `run` returns Cancelled."""

    async def close(self) -> None:
        """Stop the process. A running job ends as Cancelled. Idempotent."""
