"""What the daemon asks of the trainer process, and what it hears back: JSON lines, one a message.

The daemon writes a `Request` per line to the trainer's stdin, the trainer a `Reply` per line to
its stdout. Vectors travel as files of raw little-endian numbers named by path, never inside a
message. The seeds of masks travel inside one, and nowhere else: stdin is a pipe that nobody else
reads. Free of torch, so that both sides and their tests can read it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from fedtui.crypto.keystream import Keystream
from fedtui.learning.data import DataSource
from fedtui.learning.params import Manifest
from fedtui.learning.training import TrainingSpec
from fedtui.privacy.noise import Noise
from fedtui.secagg.encoding import Encoding
from fedtui.status import Device

Scalar = bool | int | float | str
Options = dict[str, Scalar | list[Scalar] | dict[str, Scalar]]
Seed = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
FailureKind = Literal["data", "missing", "task", "training", "crashed", "memory", "internal"]


class TaskRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which task: a name of fedtui/tasks, or the operator's own `file` if that is set.

    `sha256` pins the file: if its bytes hash to anything else it does not run. `metric` is the
    plan's; empty: the task's own.
    """

    name: str
    options: Options = {}
    file: str | None = None
    sha256: str | None = None
    metric: str = ""


class TrainJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="train"):
    """Train the model at `model_path` on the node's own examples; write the update to `out_path`.

    `round` counts from 1, `node_index` from 0; with `seed` they fix the order of the examples.
    `holdout` is the fraction of the examples that never trains. At most `judge` of those held out
    judge the model before and after: for this node's operator, and for nobody else. What the node
    holds for its strategy is read from `held_in` (nothing yet if empty) and written to `held_out`.
    What leaves is what `transforms` (name, options), by `seed` and `round`, make of the update.
    Training ends `within_s` after the job began, with the steps made until then (earlier if it has
    to be judged afterwards: by as long as that took before); None: with all. `noise` hides what
    leaves visible; of what will be masked it is left to the MaskJob.
    """

    job_id: int
    task: TaskRef
    data: DataSource
    manifest: Manifest
    model_path: str
    training: TrainingSpec
    seed: int
    round: int
    node_index: int
    out_path: str
    strategy: str = "fedavg"
    strategy_options: Options = {}
    holdout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    judge: Annotated[int, msgspec.Meta(ge=0)] = 0
    held_in: str = ""
    held_out: str = ""
    within_s: Annotated[float, msgspec.Meta(ge=0)] | None = None
    transforms: tuple[tuple[str, Options], ...] = ()
    noise: Noise | None = None


class EvaluateJob(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="evaluate"
):
    """Judge the model at `model_path` on the held-out examples, or on all if `holdout` is 0.

    `holdout` and `seed` must be those of the TrainJobs, or what is held out differs. The model is
    judged as this node uses it under its strategy, which holds what lies in `held_in`.
    """

    job_id: int
    task: TaskRef
    data: DataSource
    manifest: Manifest
    model_path: str
    seed: int
    holdout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    strategy: str = "fedavg"
    strategy_options: Options = {}
    held_in: str = ""


class CheckJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="check"):
    """Dry run: load task and data, train one batch, say what would be sent. Sends nothing."""

    job_id: int
    task: TaskRef
    data: DataSource
    training: TrainingSpec = TrainingSpec()


class PredictJob(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="predict"
):
    """Run the model on the inputs of `data.path`; write one JSON object per row to `out_path`.

    The model is used as an EvaluateJob judges it.
    """

    job_id: int
    task: TaskRef
    data: DataSource
    manifest: Manifest
    model_path: str
    out_path: str
    strategy: str = "fedavg"
    strategy_options: Options = {}
    held_in: str = ""


class MaskJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="mask"):
    """Encode the update at `update_path`, mask it, and write the vector to `out_path`.

    The update is raw float32 as a TrainJob wrote it, the vector raw little-endian uint64. `plus`
    and `minus` are the seeds of secagg/masks.py: secrets, which no repr shows. `noise` is what the
    plan wants this node to hide it with.
    """

    job_id: int
    update_path: str
    out_path: str
    encoding: Encoding
    scalars: dict[str, float]
    weight: Annotated[float, msgspec.Meta(gt=0, le=1)]
    rounding_seed: Seed
    plus: tuple[Seed, ...]
    minus: tuple[Seed, ...]
    keystream: Keystream = "chacha20"
    noise: Noise | None = None

    def __repr__(self) -> str:
        return f"MaskJob({self.job_id}: {len(self.plus)} plus, {len(self.minus)} minus)"


class Cancel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="cancel"):
    """Stop this job at the next batch or chunk; its reply is Cancelled. Ignored once it ended."""

    job_id: int


class Bounds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="bounds"):
    """What the operator allows, from the next batch on. `memory_mb` 0 is no limit.

    `cpu_percent` is of `num_threads` cores: 50 of 4 threads is two cores kept busy. `device` holds
    from the next job on.
    """

    cpu_percent: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100
    num_threads: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1
    memory_mb: Annotated[int, msgspec.Meta(ge=0)] = 0
    device: Device = "auto"

    @property
    def cores(self) -> float | None:
        """How many cores may be busy on average; None: no limit but the threads."""
        return None if self.cpu_percent == 100 else self.cpu_percent * self.num_threads / 100


Job = TrainJob | EvaluateJob | CheckJob | PredictJob | MaskJob
Request = Job | Cancel | Bounds


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The first line of a trainer process: it takes jobs."""

    pid: int


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """How far a job is; at most four a second. Counts from 1; loss is the last batch's mean."""

    job_id: int
    epoch: int
    num_epochs: int
    batch: int
    num_batches: int
    loss: float
    examples_per_s: float


class DataSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The node's own examples as they were read: how many, and a digest of all of them, hex."""

    num_examples: int = 0
    digest: str = ""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over `num_examples` held-out examples, of the model received and of the one trained.

    Both as this node uses them under its strategy. Empty where the task could not judge.
    """

    num_examples: int
    before: dict[str, float]
    after: dict[str, float]


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """The update of `round` against the global model `num_rounds` later (learning/drift.py)."""

    round: int
    num_rounds: int
    distance: float
    own: float
    moved: float
    cosine: float | None


class Trained(msgspec.Struct, frozen=True, kw_only=True, tag="trained"):
    """The update lies complete at `out_path`; `digest` is BLAKE2b-256 of its bytes, as hex.

    `sums` are those of the training batches; `num_examples` is the update's weight. `judged` stays
    on this machine; None if nothing was held out, or nobody asked. So does `drift`, of the
    training before; None if this process did none. `notices` are sentences for the operator.
    """

    job_id: int
    out_path: str
    digest: str
    num_examples: int
    sums: dict[str, float]
    seconds: float
    judged: Judged | None = None
    drift: Drift | None = None
    data: DataSeen = DataSeen()
    notices: tuple[str, ...] = ()


class Evaluated(msgspec.Struct, frozen=True, kw_only=True, tag="evaluated"):
    """Sums over the examples judged; fedtui.learning.metrics turns them into figures."""

    job_id: int
    sums: dict[str, float]
    data: DataSeen = DataSeen()


class Checked(msgspec.Struct, frozen=True, kw_only=True, tag="checked"):
    """What a dry run found.

    `classes` counts the examples of each class (empty: no classes); `sums` are those of the
    untrained model on up to 1,000 examples; `sends` says in a sentence what would leave the node.
    """

    job_id: int
    num_examples: int
    classes: dict[str, int]
    manifest: Manifest
    metric: str
    sums: dict[str, float]
    sends: str
    data: DataSeen = DataSeen()


class Predicted(msgspec.Struct, frozen=True, kw_only=True, tag="predicted"):
    """The answers lie at `out_path`, one JSON object per row."""

    job_id: int
    out_path: str
    num_rows: int


class Masked(msgspec.Struct, frozen=True, kw_only=True, tag="masked"):
    """The masked vector lies complete at `out_path`; `digest` is BLAKE2b-256 of it, as hex.

    `num_saturated` of its values and scalars were out of the plan's range and are cut.
    """

    job_id: int
    out_path: str
    digest: str
    num_bytes: int
    num_saturated: int


class JobFailed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """The job gave nothing; `reason` is a sentence for people, `kind` is for programs.

    data, missing (data that is not there), task, training: the operator's to mend. crashed,
    memory: the process is gone and starts anew with the next job. internal: a bug of fedtui.
    """

    job_id: int
    reason: str
    kind: FailureKind


class Cancelled(msgspec.Struct, frozen=True, kw_only=True, tag="cancelled"):
    """The job was stopped because that was asked."""

    job_id: int


Outcome = Trained | Evaluated | Checked | Predicted | Masked | JobFailed | Cancelled
Reply = Ready | Progress | Outcome

EXIT_MEMORY = 75  # exit status of a trainer that went over its memory limit
MAX_LINE_BYTES = 16 * 2**20  # explicit indices of a large data set fit


def encode(message: Request | Reply) -> bytes:
    """One line, newline included."""
    return msgspec.json.encode(message) + b"\n"


_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_replies: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)


def decode_request(line: bytes) -> Request:
    """Raises msgspec.DecodeError for anything but a Request."""
    return _requests.decode(line)


def decode_reply(line: bytes) -> Reply:
    """Raises msgspec.DecodeError for anything but a Reply."""
    return _replies.decode(line)
