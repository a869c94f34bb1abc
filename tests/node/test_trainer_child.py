"""Why a job gave nothing: whose fault it is, and where, without a process around it."""

from pathlib import Path

import numpy as np
import pytest

from fedtui import plugins
from fedtui.learning.data import DataSource
from fedtui.learning.trainer import initial
from fedtui.learning.training import TrainingSpec
from node import jobs
from node.trainer_child import Jobs
from node.trainer_pipes import Inbox, Outbox

TASK = """\
import numpy as np
from fedtui.learning.data import DataError, own_path

class Own:
    metric = "accuracy"
    labels = ()
    model = prepare = loss = metrics = lambda self, *given: None
    def data(self, source):
        {does}

build = Own
"""
LINE = 9  # of what it does


def check(tmp_path: Path, does: str, data: Path) -> jobs.JobFailed:
    file = tmp_path / "mine.py"
    file.write_text(TASK.format(does=does))
    job = jobs.CheckJob(
        job_id=1,
        task=jobs.TaskRef(name="mine", file=str(file)),
        data=DataSource(path=str(data)),
    )
    outcome = Jobs(Inbox(), Outbox()).do(job)
    assert isinstance(outcome, jobs.JobFailed)
    return outcome


@pytest.mark.parametrize(
    "does",
    ["own_path(source)", "open(source.path)", "np.load(source.path)", "raise DataError('x')"],
)
def test_data_that_is_not_there_is_missing_and_no_bug(tmp_path: Path, does: str) -> None:
    assert check(tmp_path, does, tmp_path / "none.npy").kind == "missing"


def test_data_that_may_not_be_read_is_the_operators_to_mend(tmp_path: Path) -> None:
    failure = check(tmp_path, "open(source.path)", tmp_path)
    assert failure.kind == "data"
    assert "Is a directory" in failure.reason


@pytest.mark.parametrize("content", ["text", "objects"])
def test_numpys_advice_to_load_unsafely_is_not_passed_on(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(b"hello")
    if content == "objects":
        np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    failure = check(tmp_path, "np.load(source.path)", path)
    assert failure.kind == "task"
    assert "file of plain numbers" in failure.reason
    for words in ("unsafely", "allow_pickle", "pickle.load"):
        assert words not in failure.reason


def test_a_mistake_deep_in_a_library_is_located_in_the_operators_file(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x=np.zeros(3))
    failure = check(tmp_path, "return np.load(source.path)['rows']", path)
    assert failure.kind == "task"
    assert "KeyError" in failure.reason
    assert failure.reason.endswith(f"(mine.py, line {LINE})")


def test_a_task_that_ends_its_process_ends_its_job_only(tmp_path: Path) -> None:
    failure = check(tmp_path, "raise SystemExit(3)", tmp_path)
    assert failure.kind == "task"
    assert failure.reason == f"the task failed: SystemExit: 3 (mine.py, line {LINE})"


class Quiet:
    """An outbox that nobody reads."""

    def send(self, reply: jobs.Reply) -> None:
        """Said to nobody."""


def test_training_ends_when_its_time_is_over_and_the_next_one_tells_the_drift(
    tmp_path: Path,
) -> None:
    model, update = tmp_path / "model.f32", tmp_path / "update.f32"
    first = initial(plugins.build("tasks", "digits"), seed=1)
    model.write_bytes(first.vector_D.astype("<f4").tobytes())
    trainer = Jobs(Inbox(), Quiet())

    def train(number: int, within_s: float | None) -> jobs.Trained:
        job = jobs.TrainJob(
            job_id=number,
            task=jobs.TaskRef(name="digits"),
            data=DataSource(),
            manifest=first.manifest,
            model_path=str(model),
            training=TrainingSpec(batch_size=10, epochs=1),
            seed=1,
            round=number,
            node_index=0,
            out_path=str(update),
            within_s=within_s,
        )
        outcome = trainer.do(job)
        assert isinstance(outcome, jobs.Trained)
        return outcome

    short, whole = train(1, 0.0), train(2, None)
    assert short.num_examples == short.sums["examples"] == 10
    assert whole.num_examples == whole.sums["examples"] > 1000
    assert short.drift is None
    assert whole.drift is not None
    assert (whole.drift.round, whole.drift.num_rounds, whole.drift.cosine) == (1, 1, None)
    assert whole.drift.distance == whole.drift.own > 0
