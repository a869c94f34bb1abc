"""The trainer process: takes jobs from the daemon, trains, and answers (node/jobs.py).

The one program of a node that meets the operator's data, torch, and task code. It opens no socket
and holds no key but the seeds of masks, for as long as it masks an update with them. Rules:

- It ends when stdin closes: a daemon that dies, however it dies, takes its trainer along.
- Torch is imported by the first job that needs it; a task with `fixed_update` never does.
- Torch is no part of masking: an update goes through it chunk by chunk, mapped rather than read.
- An update is written under a temporary name and renamed: `out_path` is whole or absent. It is not
  synced: after a power cut the daemon's digest of it decides.
- Resident memory is watched, and the process ends above the operator's limit with a reply that
  says so. (RLIMIT_AS counts address space, of which torch reserves gigabytes.)
- Examples are read once and kept for the next job of the same task and data.
- Before every batch it rests as long as the operator's share of the CPU wants (node/throttle.py).
"""

from __future__ import annotations

import argparse
import errno
import functools
import os
import re
import signal
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fedtui import plugins
from fedtui.learning import metrics
from fedtui.learning.data import DataError, Examples
from fedtui.learning.loading import load_task
from fedtui.learning.params import Params, ParamsError
from fedtui.learning.partition import holdout
from fedtui.learning.result import StoppedError, TrainError
from fedtui.learning.sections import model_of
from fedtui.learning.task import FixedUpdate, describe, own, prepared
from fedtui.privacy.noise import NoiseError
from fedtui.secagg.encoding import EncodingError
from fedtui.secagg.masks import Masker
from fedtui.secagg.participant import Masks
from fedtui.wire.tensors import TensorError, check_finite
from node.jobs import (
    Bounds,
    Cancelled,
    Checked,
    CheckJob,
    DataSeen,
    Evaluated,
    EvaluateJob,
    FailureKind,
    Job,
    JobFailed,
    Judged,
    Masked,
    MaskJob,
    Outcome,
    Predicted,
    PredictJob,
    Progress,
    Ready,
    TaskRef,
    Trained,
    TrainJob,
)
from node.niceness import give_way
from node.throttle import Clocks, Throttle
from node.trainer_drift import LastTraining
from node.trainer_files import plain_file, write_blocks, write_rows, write_vector
from node.trainer_hiding import encoder, hidden
from node.trainer_judging import data_seen, first, judged
from node.trainer_pipes import Inbox, Outbox, start, watch_memory
from node.trainer_pupil import Pupil, as_used, learnt, leaving, strategy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from fedtui.combining.local import Learnt
    from fedtui.learning.params import Vector
    from fedtui.learning.result import TrainProgress
    from fedtui.learning.task import Task
    from fedtui.strategies.base import Strategy

_PROGRESS_EVERY_S = 0.25
_CHECK_EXAMPLES = 1000
_PICKLE_ADVICE = re.compile(
    r"This file contains pickled \(object\) data\..*?`pickle\.load\(\)`\.?"
    r"|Object arrays cannot be loaded when allow_pickle=False"
    r"|Cannot load file containing pickled data when allow_pickle=False",
    re.DOTALL,
)
_KINDS: tuple[tuple[type[Exception], FailureKind], ...] = (
    (DataError, "data"),
    (plugins.PluginError, "task"),
    (ParamsError, "task"),
    (TrainError, "training"),
    (TensorError, "training"),
    (EncodingError, "training"),
    (NoiseError, "training"),
    (MemoryError, "memory"),
)


class Jobs:
    """Does jobs, one at a time; keeps the last task and its examples."""

    def __init__(self, inbox: Inbox, outbox: Outbox) -> None:
        self._inbox = inbox
        self._outbox = outbox
        clocks = Clocks(cpu=time.process_time, now=time.monotonic, sleep=time.sleep)
        self._throttle = Throttle(clocks, wanted=lambda: not inbox.is_cancelled())
        self._num_threads = 0  # that torch was told of
        self._device = ""  # likewise
        self._task: tuple[bytes, Task | FixedUpdate | None] = (b"", None)
        self._share: tuple[bytes, tuple[Examples, Examples] | None] = (b"", None)
        self._data_seen = DataSeen()  # of the share
        self._last = LastTraining()
        self._last_said_s = 0.0

    def do(self, job: Job) -> Outcome:
        """The job's outcome; whatever goes wrong is one, too."""
        try:
            if isinstance(job, MaskJob):
                return self._mask(job)
            task = self._task_of(job.task)
            match job:
                case TrainJob():
                    return self._train(job, task)
                case EvaluateJob():
                    return self._evaluate(job, task)
                case CheckJob():
                    return self._check(job, task)
                case PredictJob():
                    return self._predict(job, task)
        except StoppedError:
            return Cancelled(job_id=job.job_id)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - tasks are foreign code
            return _failed(job, error)

    def _train(self, job: TrainJob, task: Task | FixedUpdate) -> Trained:
        started_s = time.monotonic()
        about, data, drift, notices, stretch = None, DataSeen(), None, list[str](), 1.0
        held: dict[str, Vector] = {}
        strategy = strategy_of(job)
        if isinstance(task, FixedUpdate):
            update_D, num_examples = task.fixed_update(job.manifest, job.seed), 1
            sums = _nothing(task) | dict.fromkeys(strategy.scalars, 1.0)
        else:
            drift = self._last.against(job.round, model_of(_model(job), strategy.carried))
            before, judging_s = self._judge(job, task, as_used(job, _model(job)))
            began_s = started_s - judging_s  # so that as much is left for judging once more
            result = self._train_task(job, task, strategy, began_s, notices.append)
            update_D, num_examples, sums = result.update_W, result.num_examples, result.sums
            stretch, held = result.stretch, result.held
            after, _ = self._judge(job, task, result.own)
            about, data = _judged(before, after), self._data_seen
        check_finite(update_D, job.manifest)
        digest = write_vector(Path(job.out_path), hidden(job, leaving(job, update_D, held)))
        if not isinstance(task, FixedUpdate):
            model = model_of(_model(job), strategy.carried)
            self._last.trained(job.round, model, plain_file(job, update_D), stretch=stretch)
        return Trained(
            job_id=job.job_id,
            out_path=job.out_path,
            digest=digest,
            num_examples=num_examples,
            sums=sums,
            seconds=time.monotonic() - started_s,
            judged=about,
            drift=drift,
            data=data,
            notices=tuple(notices),
        )

    def _judge(self, job: TrainJob, task: Task, params: Params) -> tuple[dict[str, float], float]:
        """The model's sums on what is held out, and the seconds that it took to judge it."""
        _, held = self._share_of(task, job)
        if not job.judge or not len(held):
            return {}, 0.0
        examples, side = first(held, job.judge), self._torch()
        began_s = time.monotonic()
        sums = judged(lambda: side.evaluate(task, params, examples, cancelled=self._stopped))
        return sums, time.monotonic() - began_s

    def _mask(self, job: MaskJob) -> Masked:
        of = Masks(job.plus, job.minus, job.keystream)
        masker = Masker(encoder(job, _update(job)), of)
        blocks = (words_C.astype("<u8", copy=False).data.cast("B") for words_C in masker.chunks())
        digest, num_bytes = write_blocks(Path(job.out_path), self._while_wanted(blocks))
        return Masked(
            job_id=job.job_id,
            out_path=job.out_path,
            digest=digest,
            num_bytes=num_bytes,
            num_saturated=masker.num_saturated,
        )

    def _while_wanted(self, blocks: Iterable[memoryview]) -> Iterator[memoryview]:
        for block in blocks:
            if self._stopped():
                raise StoppedError
            yield block

    def _stopped(self) -> bool:
        """Whether to stop; asked before every batch: here the trainer takes its rests."""
        self._throttle.rest(lambda: self._inbox.bounds.cores)
        if self._num_threads:
            self._set_threads()
        return self._inbox.is_cancelled()

    def _torch(self) -> ModuleType:
        """The side that knows torch, where and with as many threads as is allowed now."""
        side = _torch_side()
        self._set_threads()
        if self._device != (wanted := self._inbox.bounds.device):
            side.use_device(wanted)
            self._device = wanted
        return side

    def _set_threads(self) -> None:
        if self._num_threads != (wanted := self._inbox.bounds.num_threads):
            _torch_side().set_num_threads(wanted)
            self._num_threads = wanted

    def _train_task(
        self,
        job: TrainJob,
        task: Task,
        strategy: Strategy,
        began_s: float,
        notice: Callable[[str], None],
    ) -> Learnt:
        train, _ = self._share_of(task, job)
        pupil = Pupil(
            side=self._torch(),
            job=job,
            task=task,
            examples=train,
            strategy=strategy,
            progress=functools.partial(self._progress, job.job_id, time.monotonic()),
            cancelled=self._stopped,
            notice=notice,
            enough=_over(began_s, job.within_s),
        )
        return learnt(pupil, _model(job))

    def _progress(self, job_id: int, started_s: float, said: TrainProgress) -> None:
        now_s = time.monotonic()
        if now_s - self._last_said_s < _PROGRESS_EVERY_S:
            return
        self._last_said_s = now_s
        self._outbox.send(
            Progress(
                job_id=job_id,
                epoch=said.epoch,
                num_epochs=said.num_epochs,
                batch=said.batch,
                num_batches=said.num_batches,
                loss=said.loss,
                examples_per_s=said.num_examples_done / max(now_s - started_s, 1e-9),
            )
        )

    def _evaluate(self, job: EvaluateJob, task: Task | FixedUpdate) -> Evaluated:
        if isinstance(task, FixedUpdate):
            return Evaluated(job_id=job.job_id, sums=_nothing(task))
        train, held = self._share_of(task, job)
        sums: dict[str, float] = self._torch().evaluate(
            task,
            as_used(job, _model(job)),
            held if job.holdout else train,
            cancelled=self._stopped,
        )
        return Evaluated(job_id=job.job_id, sums=sums, data=self._data_seen)

    def _check(self, job: CheckJob, task: Task | FixedUpdate) -> Checked:
        num_examples, classes, data = 0, dict[str, int](), DataSeen()
        if isinstance(task, FixedUpdate):
            manifest, sums = task.manifest(), _nothing(task)
        else:
            share = own(task, job.data)
            data, examples = data_seen(share), prepared(task, share)
            num_examples, classes = len(examples), _classes(task, examples)
            side = self._torch()
            params = side.initial(task, seed=1)
            once = msgspec.structs.replace(job.training, steps=1)
            side.train_locally(task, params, examples, once, seed=(1, 1, 0))
            first = examples.take(np.arange(min(num_examples, _CHECK_EXAMPLES)))
            manifest, sums = params.manifest, side.evaluate(task, params, first)
        metrics.score(task.metric, sums)  # a ValueError if the task leaves a sum out
        return Checked(
            job_id=job.job_id,
            num_examples=num_examples,
            classes=classes,
            manifest=manifest,
            metric=task.metric,
            sums=sums,
            sends=describe(manifest, task.metric),
            data=data,
        )

    def _predict(self, job: PredictJob, task: Task | FixedUpdate) -> Predicted:
        if isinstance(task, FixedUpdate):
            raise DataError("this task predicts nothing: it exists for benchmarks")
        x = task.prepare(task.inputs(job.data))
        answers = self._torch().predict(task, as_used(job, _model(job)), x)
        num_rows = write_rows(Path(job.out_path), answers)
        return Predicted(job_id=job.job_id, out_path=job.out_path, num_rows=num_rows)

    def _task_of(self, ref: TaskRef) -> Task | FixedUpdate:
        key = msgspec.json.encode(ref)
        kept_key, task = self._task
        if task is None or kept_key != key:
            file = Path(ref.file) if ref.file is not None else None
            task = load_task(
                ref.name, ref.options, file=file, sha256=ref.sha256, metric=ref.metric
            )
            self._task = (key, task)
        return task

    def _share_of(self, task: Task, job: TrainJob | EvaluateJob) -> tuple[Examples, Examples]:
        """This node's prepared examples: what trains, and what is held out."""
        key = msgspec.json.encode((job.task, job.data, job.holdout, job.seed))
        kept_key, share = self._share
        if share is None or kept_key != key:
            self._share = (b"", None)  # let go of the old examples before reading others
            raw = own(task, job.data)
            self._data_seen, examples = data_seen(raw), prepared(task, raw)
            train, held = holdout(len(examples), job.holdout, seed=job.seed)
            share = (examples.take(train), examples.take(held))
            self._share = (key, share)
        return share


@functools.cache
def _torch_side() -> ModuleType:
    from fedtui.learning import trainer  # noqa: PLC0415 - seconds and 200 MB: when needed

    return trainer


def _over(started_s: float, within_s: float | None) -> Callable[[], bool] | None:
    """Whether the time that a job may train is over; None if it has as long as it takes."""
    return None if within_s is None else lambda: time.monotonic() - started_s >= within_s


def _judged(before: dict[str, float], after: dict[str, float]) -> Judged | None:
    num_examples = int(before.get("examples") or after.get("examples") or 0)
    return Judged(num_examples=num_examples, before=before, after=after) if num_examples else None


def _nothing(task: FixedUpdate) -> dict[str, float]:
    return {name: float(name == "examples") for name in metrics.sums_for(task.metric)}


def _classes(task: Task, examples: Examples) -> dict[str, int]:
    if examples.y.ndim != 1 or examples.y.dtype.kind not in "iu":
        return {}
    numbers, counts = np.unique(examples.y, return_counts=True)
    labels = task.labels
    names = [labels[i] if 0 <= i < len(labels) else str(i) for i in numbers.tolist()]
    return dict(zip(names, counts.tolist(), strict=True))


def _model(job: TrainJob | EvaluateJob | PredictJob) -> Params:
    """The model file, mapped rather than read."""
    size = Path(job.model_path).stat().st_size
    if size != job.manifest.num_bytes:
        raise ParamsError(
            f"the model file has {size} bytes, the manifest promises {job.manifest.num_bytes}"
        )
    mapped = np.memmap(job.model_path, "<f4", "r")
    return Params(job.manifest, np.asarray(mapped).astype(np.float32, copy=False))


def _update(job: MaskJob) -> Vector:
    """The update file, mapped rather than read."""
    size, expected = Path(job.update_path).stat().st_size, 4 * job.encoding.num_values
    if size != expected:
        raise TensorError(f"the update's file has {size} bytes, {expected} are expected")
    mapped = np.memmap(job.update_path, "<f4", "r")
    return np.asarray(mapped).astype(np.float32, copy=False)


def _lacks_data(job: Job) -> bool:
    path = "" if isinstance(job, MaskJob) else job.data.path
    return bool(path) and not Path(path).expanduser().exists()


def _kind_of(job: Job, error: OSError) -> FailureKind:
    """Whose an operating system's error is: of the operator's data, or ours."""
    if isinstance(job, MaskJob) or error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
        return "internal"
    return "missing" if isinstance(error, FileNotFoundError) else "data"


def _safe(text: str) -> str:
    """Without NumPy's advice to load what runs as code when it is loaded."""
    return _PICKLE_ADVICE.sub(
        "it is no .npy or .npz file of plain numbers (Python objects are never loaded here)", text
    )


def _place(job: Job, error: Exception | SystemExit) -> str:
    """Where it happened: in the operator's own file, if that was on the way."""
    frames = traceback.extract_tb(error.__traceback__)
    own = None if isinstance(job, MaskJob) else job.task.file
    theirs = [one for one in frames if one.filename == own or plugins.is_own(one.filename)]
    where = (theirs or frames)[-1]
    return f"{Path(where.filename).name}, line {where.lineno}"


def _failed(job: Job, error: Exception | SystemExit) -> JobFailed:
    for known, kind in _KINDS:
        if isinstance(error, known):
            lacks = kind == "data" and _lacks_data(job)
            reason = _safe(str(error))
            return JobFailed(job_id=job.job_id, reason=reason, kind="missing" if lacks else kind)
    if isinstance(error, OSError):
        reason = f"cannot use {error.filename or 'a file'}: {error.strerror or error}"
        return JobFailed(job_id=job.job_id, reason=reason, kind=_kind_of(job, error))
    traceback.print_exception(error)
    reason = f"{type(error).__name__}: {_safe(str(error))} ({_place(job, error)})"
    if not isinstance(job, MaskJob) and job.task.file is not None:
        return JobFailed(job_id=job.job_id, reason=f"the task failed: {reason}", kind="task")
    if any(plugins.is_own(one.filename) for one in traceback.extract_tb(error.__traceback__)):
        return JobFailed(job_id=job.job_id, reason=f"the strategy failed: {reason}", kind="task")
    return JobFailed(job_id=job.job_id, reason=f"a bug in the trainer: {reason}", kind="internal")


def main() -> None:
    """Take jobs until the daemon is gone."""
    parser = argparse.ArgumentParser(prog="node.trainer_child")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-mb", type=int, default=0, help="0: no limit")
    parser.add_argument("--cpu-percent", type=int, default=100, help="of the threads")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--nice", type=int, default=10)
    chosen = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's to handle
    give_way(chosen.nice)
    bounds = Bounds(
        cpu_percent=chosen.cpu_percent,
        num_threads=chosen.threads,
        memory_mb=chosen.memory_mb,
        device=chosen.device,
    )
    inbox, outbox = Inbox(bounds), Outbox()
    start(inbox.listen)
    start(functools.partial(watch_memory, inbox, outbox))
    jobs = Jobs(inbox, outbox)
    outbox.send(Ready(pid=os.getpid()))
    while True:
        outbox.send(jobs.do(inbox.next()))


if __name__ == "__main__":
    main()
