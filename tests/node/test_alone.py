"""A job without a daemon: the trainer is ended whatever happens, failures have words and codes."""

import pytest
from fake_trainer import FakeTrainer

from fedtui.learning.data import DataSource
from node import alone, jobs

JOB = jobs.CheckJob(job_id=1, task=jobs.TaskRef(name="digits"), data=DataSource())


async def test_the_trainer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = FakeTrainer()
    monkeypatch.setattr(alone, "TrainerProcess", lambda limits: trainer)
    assert isinstance(await alone.run_alone(JOB), jobs.Checked)
    assert trainer.state == "stopped"


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (jobs.JobFailed(job_id=1, reason="row 3", kind="data"), 65),
        (jobs.JobFailed(job_id=1, reason="row 3", kind="internal"), 70),
        (jobs.Cancelled(job_id=1), 1),
    ],
)
def test_failures(outcome: jobs.Outcome, code: int) -> None:
    found = alone.failed(outcome)
    assert found.exit_code == code
    assert found.text
