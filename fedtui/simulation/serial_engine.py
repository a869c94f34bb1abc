"""The serial engine: every job is done here, in this process, at the moment its outcome is asked.

A job that nobody asks for is never done, so to forget one costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui.errors import LocalProtocolError

if TYPE_CHECKING:
    from fedtui.learning.params import Vector
    from fedtui.simulation.jobs import Job, Outcome
    from fedtui.simulation.workshop import Workshop


class SerialEngine:
    """One process; see simulation/engine.py for what an engine owes."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._models: dict[bytes, Vector] = {}

    def put_model(self, digest: bytes, model_D: Vector) -> None:
        self._models[digest] = model_D

    def drop_model(self, digest: bytes) -> None:
        self._models.pop(digest, None)

    def submit(self, job: Job) -> _Ticket:
        """Take a job for later. LocalProtocolError when its model was never put, or dropped."""
        model_D = self._models.get(job.model)
        if model_D is None:
            raise LocalProtocolError(f"no model {job.model.hex()[:16]} was given to the engine")
        return _Ticket(self._workshop, job, model_D)

    def close(self) -> None:
        self._models.clear()


class _Ticket:
    """A job that waits until it is asked for; asked again, it answers the same."""

    def __init__(self, workshop: Workshop, job: Job, model_D: Vector) -> None:
        self._workshop = workshop
        self._job = job
        self._model_D: Vector | None = model_D
        self._outcome: Outcome | None = None

    def outcome(self) -> Outcome:
        if self._outcome is None:
            if self._model_D is None:
                raise LocalProtocolError("this job was forgotten")
            self._outcome = self._workshop.do(self._job, self._model_D)
            self._model_D = None
        return self._outcome

    def forget(self) -> None:
        self._model_D = None
