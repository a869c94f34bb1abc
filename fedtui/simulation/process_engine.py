"""The engine of many processes on this machine: each has a workshop over the same mapped data.

A thread per worker hands it one job after the other over a pipe; data and models lie in files of
a scratch folder that every worker maps. A worker that dies is replaced and its job done again, a
few times. Workers hold nothing that is worth keeping: they are killed at the end, and end by
themselves, scratch folder included, when the parent is gone. Ctrl-C is the parent's to handle:
they are started with the signal blocked.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import queue
import shutil
import signal
import tempfile
import threading
import weakref
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fedtui.errors import FedtuiError, LocalProtocolError
from fedtui.simulation.engine import EngineError
from fedtui.simulation.ground import Ground
from fedtui.simulation.jobs import Trained, TrainJob
from fedtui.simulation.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from fedtui.learning.params import Vector
    from fedtui.simulation.ground import Setup
    from fedtui.simulation.jobs import Job, Outcome

_TRIES = 3
_MODELS_MAPPED = 2  # those of a round and of the one before
_OUT_OF_MEMORY = 71  # a worker's exit status
_NO_UPDATE = np.zeros(0, np.float32)


class ProcessEngine:
    """`num_workers` processes (default: one per core that this process may use).

    Raises EngineError when the scratch folder cannot hold the data.
    """

    def __init__(self, setup: Setup, ground: Ground, num_workers: int | None = None) -> None:
        self._models: dict[bytes, _Model] = {}
        self._workers: list[_Worker] = []
        self._threads: list[threading.Thread] = []
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._closed = False
        self._starting = threading.Lock()  # none starts once the engine is closed
        self._scratch = Path(tempfile.mkdtemp(prefix="fedtui-"))
        atexit.register(self.close)
        try:
            with self._writing():
                ground.save(self._scratch)
            for _ in range(num_workers or _num_cores()):
                self._add_worker(_Worker(setup, self._scratch))
        except BaseException:
            self.close()
            raise

    def _add_worker(self, worker: _Worker) -> None:
        # Not concurrent.futures' threads: a Ctrl-C as they start would keep Python from ending.
        self._workers.append(worker)
        self._threads.append(threading.Thread(target=self._serve, args=(worker,), daemon=True))
        self._threads[-1].start()

    def put_model(self, digest: bytes, model_D: Vector) -> None:
        """See Engine. Raises EngineError when the scratch folder is full."""
        with self._writing():
            self._models[digest] = _Model(self._scratch / f"{digest.hex()}.npy", model_D)

    def drop_model(self, digest: bytes) -> None:
        self._models.pop(digest, None)  # its file goes with the last job that needs it

    def submit(self, job: Job) -> _Ticket:
        """Give a job to the next free worker. LocalProtocolError for a model never put."""
        model = self._models.get(job.model)
        if model is None or self._closed:
            raise LocalProtocolError(f"no model {job.model.hex()[:16]} was given to the engine")
        asked = _Asked(Future(), job, model)
        self._asked.put(asked)
        return _Ticket(asked.future)

    def close(self) -> None:
        """Kill the workers, remove the scratch folder. Done at exit if not before."""
        atexit.unregister(self.close)
        with self._starting:
            self._closed = True
        for worker in self._workers:
            worker.kill()
        for _ in self._threads:
            self._asked.put(None)
        for thread in self._threads:
            thread.join()
        self._models.clear()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _serve(self, worker: _Worker) -> None:
        """What the thread of a worker does."""
        while (asked := self._asked.get()) is not None:
            if asked.future.set_running_or_notify_cancel():
                try:
                    asked.future.set_result(self._do(worker, asked.job, asked.model))
                except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
                    asked.future.set_exception(error)
            del asked  # or the model would be kept until the next job

    def _do(self, worker: _Worker, job: Job, model: _Model) -> Outcome:
        status = 0
        for _ in range(_TRIES):
            with contextlib.suppress(EOFError, OSError):
                return worker.do(job, model.path)
            status = worker.kill()
            self._restart(worker)
        raise EngineError(_died(job, status))

    def _restart(self, worker: _Worker) -> None:
        with self._starting:
            if self._closed:
                raise EngineError("the engine was closed")
            worker.start()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EngineError(
                f"cannot write to {self._scratch}: {error.strerror or error}; make room there or "
                "set TMPDIR to another folder, then start again: the run resumes"
            ) from error


class _Model:
    """A model's file, which is removed once nobody needs it."""

    def __init__(self, path: Path, model_D: Vector) -> None:
        np.save(path, model_D, allow_pickle=False)
        self.path = path
        weakref.finalize(self, path.unlink, missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A job on its way to a worker."""

    future: Future[Outcome]
    job: Job
    model: _Model


class _Ticket:
    def __init__(self, future: Future[Outcome]) -> None:
        self._future = future

    def outcome(self) -> Outcome:
        try:
            return self._future.result()
        except CancelledError:
            raise LocalProtocolError("this job was forgotten") from None

    def forget(self) -> None:
        self._future.cancel()


class _Worker:
    """One process at the other end of a pipe; used by one thread at a time, but for `kill`."""

    def __init__(self, setup: Setup, scratch: Path) -> None:
        self._setup = setup
        self._scratch = scratch
        self.start()

    def start(self) -> None:
        """Start the process; it says when it is ready, or why it cannot be."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._greeted = False
        self._process = context.Process(
            target=work, args=(theirs, self._setup, self._scratch), daemon=True
        )
        resource_tracker.ensure_running()  # or it would be started below, and unblock the signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()

    def do(self, job: Job, model: Path) -> Outcome:
        """Have a job done. EOFError or OSError when the process dies, EngineError if it cannot."""
        if not self._greeted:
            if complaint := self._pipe.recv():
                raise EngineError(complaint)
            self._greeted = True
        self._pipe.send((job, model))
        outcome: Outcome = self._pipe.recv()
        if isinstance(outcome, Trained):
            update_D = np.frombuffer(self._pipe.recv_bytes(), np.float32)
            return replace(outcome, update_D=update_D)
        return outcome

    def kill(self) -> int:
        """End the process and say how it ended: its exit status, or minus a signal's number."""
        self._process.kill()
        self._process.join()
        return self._process.exitcode or 0


def work(pipe: Connection, setup: Setup, scratch: Path) -> None:
    """What a worker does with its life; see the module."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end = threading.Thread(target=_end_with_the_parent, args=(scratch,), daemon=True)
    end.start()
    with contextlib.suppress(EOFError, OSError):  # of a pipe whose other end is gone
        try:
            workshop = Workshop(setup, Ground.load(scratch))
        except (FedtuiError, OSError) as error:
            pipe.send(f"a worker process cannot begin: {error}")
            return
        pipe.send("")
        _work(pipe, workshop)
    end.join()  # or what is left of the parent would be left half removed


def _work(pipe: Connection, workshop: Workshop) -> None:
    models: dict[Path, Vector] = {}
    while True:
        job, path = pipe.recv()
        if path not in models:
            models = dict(list(models.items())[1 - _MODELS_MAPPED :])
            models[path] = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        _answer(pipe, workshop, job, models[path])


def _answer(pipe: Connection, workshop: Workshop, job: Job, model_D: Vector) -> None:
    try:
        outcome = workshop.do(job, model_D)
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)  # another worker may have more luck, with fewer others beside it
    if isinstance(outcome, Trained):
        pipe.send(replace(outcome, update_D=_NO_UPDATE))
        pipe.send_bytes(np.ascontiguousarray(outcome.update_D, np.float32).data.cast("B"))
    else:
        pipe.send(outcome)


def _end_with_the_parent(scratch: Path) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(0)


def _num_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _died(job: Job, status: int) -> str:
    doing = "training" if isinstance(job, TrainJob) else "measuring"
    why = f"it ended with status {status}"
    if status in {-signal.SIGKILL, _OUT_OF_MEMORY}:
        why = "it ran out of memory or was killed: use fewer workers"
    return (
        f"a worker process died {_TRIES} times while {doing} for node {job.node} in round "
        f"{job.round}; {why}, then start again: the run resumes"
    )
