import msgspec
import pytest

from fedtui.learning.data import DataSource
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.learning.training import TrainingSpec
from node import jobs

MANIFEST = Manifest((TensorSpec("w", (2, 3)),))
TASK = jobs.TaskRef(name="digits", options={"hidden": 5, "columns": {"a": "number"}, "l": [1]})
DATA = DataSource(path="d", indices=(1, 2))
REQUESTS = [
    jobs.TrainJob(
        job_id=1,
        task=TASK,
        data=DATA,
        manifest=MANIFEST,
        model_path="m",
        training=TrainingSpec(steps=3),
        seed=1,
        round=2,
        node_index=3,
        out_path="u",
    ),
    jobs.EvaluateJob(job_id=2, task=TASK, data=DATA, manifest=MANIFEST, model_path="m", seed=1),
    jobs.CheckJob(job_id=3, task=TASK, data=DATA),
    jobs.PredictJob(
        job_id=4, task=TASK, data=DATA, manifest=MANIFEST, model_path="m", out_path="o"
    ),
    jobs.Cancel(job_id=1),
]
REPLIES = [
    jobs.Ready(pid=3),
    jobs.Progress(
        job_id=1, epoch=1, num_epochs=2, batch=3, num_batches=4, loss=0.5, examples_per_s=9.0
    ),
    jobs.Trained(
        job_id=1, out_path="u", digest="ab", num_examples=5, sums={"examples": 5.0}, seconds=0.1
    ),
    jobs.Evaluated(job_id=1, sums={}),
    jobs.JobFailed(job_id=1, reason="no\ndata", kind="data"),
    jobs.Cancelled(job_id=1),
    jobs.Predicted(job_id=1, out_path="o", num_rows=1),
    jobs.Checked(
        job_id=1,
        num_examples=1,
        classes={"0": 1},
        manifest=MANIFEST,
        metric="loss",
        sums={},
        sends="x",
    ),
]


@pytest.mark.parametrize("message", REQUESTS, ids=lambda m: type(m).__name__)
def test_requests_are_one_line_and_come_back_equal(message: jobs.Request) -> None:
    line = jobs.encode(message)
    assert line.count(b"\n") == 1
    assert jobs.decode_request(line) == message


@pytest.mark.parametrize("message", REPLIES, ids=lambda m: type(m).__name__)
def test_replies_are_one_line_and_come_back_equal(message: jobs.Reply) -> None:
    line = jobs.encode(message)
    assert line.count(b"\n") == 1
    assert jobs.decode_reply(line) == message


@pytest.mark.parametrize("line", [b"", b"{}", b"warning: x", b'{"type":"train"}', b"[1]"])
def test_anything_else_is_refused(line: bytes) -> None:
    for decode in (jobs.decode_request, jobs.decode_reply):
        with pytest.raises(msgspec.DecodeError):
            decode(line)
