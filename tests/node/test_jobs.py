import msgspec
import pytest

from fedtui.learning.data import DataSource
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.learning.training import TrainingSpec
from fedtui.secagg.encoding import Encoding
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
    jobs.MaskJob(
        job_id=5,
        update_path="u",
        out_path="v",
        encoding=Encoding(
            num_values=6, scalars=("weight",), lanes=3, largest_cohort=9, value_range=0.1
        ),
        scalars={"weight": 1 / 3},
        weight=0.1,
        rounding_seed=b"r" * 32,
        plus=(bytes(range(32)), b"\xff" * 32),
        minus=(),
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
    jobs.Masked(job_id=1, out_path="v", digest="ab", num_bytes=8, num_saturated=2),
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


def test_no_repr_shows_a_seed() -> None:
    (job,) = [one for one in REQUESTS if isinstance(one, jobs.MaskJob)]
    assert repr(job) == "MaskJob(5: 2 plus, 0 minus)"
    short = msgspec.structs.replace(job, plus=(b"short",))
    with pytest.raises(msgspec.ValidationError) as refusal:
        jobs.decode_request(jobs.encode(short))
    assert "short" not in str(refusal.value)
