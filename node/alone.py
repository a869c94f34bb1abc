"""One job in a trainer process of its own, without a daemon: for `task check` and `predict`."""

from __future__ import annotations

from node import jobs
from node.exits import Exit, Stop
from node.trainer import TrainerLimits, TrainerProcess


async def run_alone(job: jobs.Job) -> jobs.Outcome:
    """Start a trainer, run the job, end the trainer."""
    trainer = TrainerProcess(TrainerLimits())
    try:
        return await trainer.run(job, on_progress=lambda _: None)
    finally:
        await trainer.close()


def failed(outcome: jobs.Outcome) -> Stop:
    """How a person hears that a job gave nothing."""
    if isinstance(outcome, jobs.JobFailed):
        return Stop(outcome.reason, exit_code=exit_code(outcome))
    return Stop("the trainer was stopped", exit_code=Exit.FAILED)


def exit_code(failure: jobs.JobFailed) -> Exit:
    """The exit status of a command whose job failed."""
    match failure.kind:
        case "internal":
            return Exit.INTERNAL
        case "missing":
            return Exit.MISSING_INPUT
        case _:
            return Exit.BAD_DATA
