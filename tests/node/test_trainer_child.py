"""Why a job gave nothing: whose fault it is, and where, without a process around it."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fedtui import plugins
from fedtui.combining.local import Learnt
from fedtui.learning.data import DataSource
from fedtui.learning.params import Params
from fedtui.learning.trainer import initial
from fedtui.learning.training import TrainingSpec
from node import jobs, trainer_child
from node.trainer_child import Jobs
from node.trainer_pipes import Inbox, Outbox
from node.trainer_pupil import Pupil, learnt

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


def digits_job(folder: Path, number: int, **more: object) -> jobs.TrainJob:
    """One epoch over all digits, from the first model."""
    model = folder / "model.f32"
    first = initial(plugins.build("tasks", "digits"), seed=1)
    model.write_bytes(first.vector_D.astype("<f4").tobytes())
    return jobs.TrainJob(
        job_id=number,
        task=jobs.TaskRef(name="digits"),
        data=DataSource(),
        manifest=first.manifest,
        model_path=str(model),
        training=TrainingSpec(batch_size=10, epochs=1),
        seed=1,
        round=number,
        node_index=0,
        out_path=str(folder / "update.f32"),
        **more,
    )


@pytest.mark.parametrize(("judge", "until_s"), [(0, 10.0), (50, 6.0)])
def test_time_is_left_to_judge_once_more_after_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judge: int, until_s: float
) -> None:
    trainer, now, asked = Jobs(Inbox(), Quiet()), [100.0], []
    side = trainer_child._torch_side()

    def evaluate(*args: object, **more: object) -> dict[str, float]:
        now[0] += 4.0
        return {"examples": 50.0}

    def stands_still(pupil: Pupil, model: Params) -> Learnt:
        for passed_s in (until_s - 0.01, until_s):
            monkeypatch.setattr(clock, "monotonic", lambda at=passed_s: 100.0 + at)
            asked.append(pupil.enough())
        return learnt(dataclasses.replace(pupil, enough=None), model)

    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(trainer_child, "time", clock)
    monkeypatch.setattr(side, "evaluate", evaluate)
    monkeypatch.setattr(trainer_child, "learnt", stands_still)
    job = digits_job(tmp_path, 1, holdout=0.2, judge=judge, within_s=10.0)
    assert isinstance(trainer.do(job), jobs.Trained)
    assert asked == [False, True]


def test_training_ends_when_its_time_is_over_and_the_next_one_tells_the_drift(
    tmp_path: Path,
) -> None:
    trainer = Jobs(Inbox(), Quiet())

    def train(number: int, within_s: float | None) -> jobs.Trained:
        outcome = trainer.do(digits_job(tmp_path, number, within_s=within_s))
        assert isinstance(outcome, jobs.Trained)
        return outcome

    short, whole = train(1, 0.0), train(2, None)
    assert short.num_examples == short.sums["examples"] == 10
    assert whole.num_examples == whole.sums["examples"] > 1000
    assert short.drift is None
    assert whole.drift is not None
    assert (whole.drift.round, whole.drift.num_rounds, whole.drift.cosine) == (1, 1, None)
    assert whole.drift.distance == whole.drift.own > 0
