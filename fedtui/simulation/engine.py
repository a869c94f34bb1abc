"""What an engine is: whoever does the expensive part of a simulated node, training and measuring.

The world hands a job over when the node begins with it in virtual time, and asks for the outcome
when the node is done with it in virtual time. What lies between is the engine's: it may do
nothing until it is asked (serial), or work on many jobs at once (processes, ray). Equal jobs give
bit-equal outcomes on every engine: each job runs on the same number of torch threads.
"""

from typing import Protocol

from fedtui.errors import ExitCode, OperatorError
from fedtui.learning.params import Vector
from fedtui.simulation.jobs import Job, Outcome


class EngineError(OperatorError):
    """The engine cannot go on: what was lost and what to do about it. The run can be resumed."""

    exit_code = ExitCode.UNAVAILABLE


class Ticket(Protocol):
    """One job under way."""

    def outcome(self) -> Outcome:
        """Wait for it. Raises EngineError when the engine is lost."""

    def forget(self) -> None:
        """Nobody wants it any more; it need not be done."""


class Engine(Protocol):
    """Takes jobs; see above."""

    def put_model(self, digest: bytes, model_D: Vector) -> None:
        """Jobs may name this model from now on. Nobody changes `model_D` afterwards."""

    def drop_model(self, digest: bytes) -> None:
        """No job names it any more."""

    def submit(self, job: Job) -> Ticket: ...

    def close(self) -> None:
        """End everything that was started."""
