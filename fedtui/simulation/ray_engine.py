"""The engine for a cluster: jobs are Ray tasks, here (address "") or where Ray already runs.

Data and models are put into Ray's object store once; every worker process keeps one workshop over
the node's copy. Ray does a job again when its worker or its machine is lost, and we when an object
is; a cluster that is gone as a whole is said, and the run goes on when started again. Ray itself
says nothing on the terminal and nothing to its makers. Ray is imported by whoever makes an engine.
"""

from __future__ import annotations

import dataclasses
import importlib
import logging
import os
import secrets
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fedtui.errors import FedtuiError, LocalProtocolError
from fedtui.simulation.engine import EngineError
from fedtui.simulation.jobs import Trained
from fedtui.simulation.workshop import Workshop

if TYPE_CHECKING:
    from fedtui.learning.params import Vector
    from fedtui.simulation.ground import Ground, Setup
    from fedtui.simulation.jobs import Job, Outcome

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or each worker warns of a changed default
}
_RETRIES = 3  # by Ray, after a worker or a machine was lost
_TRIES = 3  # by us, after an object was lost or memory ran out
_PATIENCE_S = 3.0
_DEAF = 5  # times in a row that the head does not answer: then it is gone; Ray aborts after 60 s
_LOST = "the Ray cluster is lost ({}); start again when it is back: the run resumes"

_KEPT: list[tempfile.TemporaryDirectory[str]] = []


class RayEngine:
    """`address` of a cluster, or "" for one of this machine's own, which ends with the engine.

    A job gets `cpus_per_job` cores and `gpus_per_job` GPUs, a fraction of one if it says so.
    Raises EngineError: Ray is not installed, no cluster answers, or it cannot fit a single job.
    """

    def __init__(
        self,
        setup: Setup,
        ground: Ground,
        *,
        address: str = "",
        cpus_per_job: float = 1,
        gpus_per_job: float = 0.0,
    ) -> None:
        self.ray = _imported()
        self._joined = not self.ray.is_initialized()
        if self._joined:
            _begin(self.ray, address)
        _check_fits(self.ray, {"CPU": cpus_per_job, "GPU": gpus_per_job})
        self._head = _host_and_port(self.ray.get_runtime_context().gcs_address)
        self._do = self.ray.remote(
            num_cpus=cpus_per_job, num_gpus=gpus_per_job, max_retries=_RETRIES, max_calls=0
        )(_do)
        self._key = secrets.token_bytes(16)
        self._parcel = _packed(setup, ground)
        self._parcel_ref = self.ray.put(self._parcel)
        self._models: dict[bytes, _Model] = {}

    def put_model(self, digest: bytes, model_D: Vector) -> None:
        self._models[digest] = _Model(model_D, self.ray.put(model_D))

    def drop_model(self, digest: bytes) -> None:
        self._models.pop(digest, None)

    def submit(self, job: Job) -> _Ticket:
        """Hand a job to the cluster. LocalProtocolError for a model never put."""
        model = self._models.get(job.model)
        if model is None:
            raise LocalProtocolError(f"no model {job.model.hex()[:16]} was given to the engine")
        return _Ticket(self, job, model)

    def close(self) -> None:
        self._models.clear()
        if self._joined:
            self.ray.shutdown()

    def start(self, job: Job, model: _Model) -> Any:
        """A reference to the outcome of a job."""
        return self._do.remote(self._key, [self._parcel_ref], job, model.ref)

    def put_again(self, model: _Model) -> None:
        """Give the store anew what jobs need of it."""
        self._parcel_ref = self.ray.put(self._parcel)
        model.ref = self.ray.put(model.vector_D)

    def wait(self, ref: Any) -> None:
        """Until an outcome is there; EngineError when the cluster is not."""
        num_deaf = 0
        while not self.ray.wait([ref], timeout=_PATIENCE_S)[0]:
            try:
                _knock(self._head)
                num_deaf = 0
            except OSError as error:
                num_deaf += 1
                if num_deaf == _DEAF:
                    raise EngineError(_LOST.format(error)) from error


@dataclasses.dataclass(slots=True)
class _Model:
    """A model, and where it is in the store."""

    vector_D: Vector
    ref: Any


class _Ticket:
    def __init__(self, engine: RayEngine, job: Job, model: _Model) -> None:
        self._engine = engine
        self._job = job
        self._model = model
        self._ref = engine.start(job, model)

    def outcome(self) -> Outcome:
        exceptions = self._engine.ray.exceptions
        for _ in range(_TRIES):
            self._engine.wait(self._ref)
            try:
                return _taken(self._engine.ray.get(self._ref))
            except exceptions.TaskCancelledError:
                raise LocalProtocolError("this job was forgotten") from None
            except exceptions.RayError as error:
                cause = getattr(error, "cause", None) or error
                if not isinstance(cause, MemoryError | exceptions.ObjectLostError):
                    raise EngineError(_sentence(exceptions, cause)) from error
                self._engine.put_again(self._model)
                self._ref = self._engine.start(self._job, self._model)
        raise EngineError(
            f"a job for node {self._job.node} in round {self._job.round} was tried {_TRIES} "
            "times, but memory ran out or Ray's store lost what it needs; give each job more "
            "cores, so that fewer run at a time, then start again: the run resumes"
        )

    def forget(self) -> None:
        self._engine.ray.cancel(self._ref)


_kept: tuple[bytes, Workshop] | None = None


def _do(key: bytes, parcel: list[Any], job: Job, model_D: Vector) -> Outcome:
    """What a worker process does for a job; it keeps its workshop for the next of this engine."""
    global _kept  # noqa: PLW0603 - Ray's workers have no other place that outlives a task
    if _kept is None or _kept[0] != key:
        _kept = None  # let go of the old one first
        setup, ground, source = importlib.import_module("ray").get(parcel[0])
        _kept = (key, Workshop(_unpacked(setup, source), ground))
    return _kept[1].do(job, model_D)


def _packed(setup: Setup, ground: Ground) -> tuple[Setup, Ground, bytes]:
    """What a worker needs; it may be on another machine, so with the bytes of an own task file."""
    if not setup.task_file:
        return setup, ground, b""
    path = Path(setup.task_file).resolve()
    return dataclasses.replace(setup, task_file=str(path)), ground, path.read_bytes()


def _unpacked(setup: Setup, source: bytes) -> Setup:
    path = Path(setup.task_file)
    if not setup.task_file or (path.is_file() and path.read_bytes() == source):
        return setup
    _KEPT.append(tempfile.TemporaryDirectory(prefix="fedtui-"))  # until this worker ends
    path = Path(_KEPT[-1].name) / path.name
    path.write_bytes(source)
    return dataclasses.replace(setup, task_file=str(path))


def _taken(outcome: Outcome) -> Outcome:
    """The outcome without a hold on Ray's store."""
    if isinstance(outcome, Trained):
        held = {name: np.array(vector) for name, vector in outcome.held.items()}
        return dataclasses.replace(outcome, update_D=np.array(outcome.update_D), held=held)
    return outcome


def _imported() -> Any:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise EngineError(
            "Ray is not installed: pip install 'fedtui[simulation]', or choose another engine"
        ) from error
    # Ray prints what its machines complain of to our standard output, and has no switch for it.
    vars(importlib.import_module("ray._private.worker"))["_worker_logs_enabled"] = False
    return ray


def _begin(ray: Any, address: str) -> None:
    try:
        if ":" in address:  # Ray itself would look for it for minutes
            _knock(_host_and_port(address.removeprefix("ray://")))
        ray.init(
            address=address or "local",
            include_dashboard=False if not address else None,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
        )
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        where = f"reach a Ray cluster at {address}" if address else "start Ray on this machine"
        raise EngineError(f"cannot {where}: {error}") from error


def _check_fits(ray: Any, wanted: dict[str, float]) -> None:
    for kind, amount in wanted.items():
        most = max((node["Resources"].get(kind, 0.0) for node in _alive(ray)), default=0.0)
        if amount > most:
            raise EngineError(
                f"a job asks for {amount:g} {kind}s, but no machine of the Ray cluster has more "
                f"than {most:g}: ask for less, or add a machine"
            )


def _alive(ray: Any) -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _knock(address: tuple[str, int]) -> None:
    """Whether a program answers there. OSError if none does."""
    socket.create_connection(address, timeout=_PATIENCE_S).close()


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _sentence(exceptions: Any, cause: BaseException) -> str:
    if isinstance(cause, FedtuiError):
        return f"a worker of the Ray cluster cannot begin: {cause}"
    if isinstance(cause, exceptions.LocalRayletDiedError | exceptions.RaySystemError):
        return _LOST.format(_first_line(cause))
    if isinstance(cause, exceptions.RayError):
        return (
            f"workers of the Ray cluster died {_RETRIES + 1} times at one job "
            f"({_first_line(cause)}); give each job more cores, so that fewer run at a time, then "
            "start again: the run resumes"
        )
    return f"a worker of the Ray cluster failed: {type(cause).__name__}: {cause}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
