"""Why a job gave nothing: whose fault it is, and where, without a process around it."""

from pathlib import Path

import numpy as np
import pytest

from fedtui.learning.data import DataSource
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
