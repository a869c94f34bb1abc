"""What a simulated node's trainer gives back, and who stands for it.

The machines ask for training and measuring; a world hands that to its `Work`. A world of tests
makes results up, a simulated population trains for real (engine.py).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fedtui.crypto.keystream import Words
from fedtui.learning.params import Vector
from fedtui.rounds.machine import Measure, Train
from fedtui.wire.messages import UpdateHeader

if TYPE_CHECKING:
    from fedtui.simulation.node_host import NodeHost


@dataclass(frozen=True, slots=True, eq=False)
class Parcel:
    """An update or a masked vector as it would lie on disk.

    `content` is None while a run is told again from its journal: then nobody looks into it.
    `flaw` is why a coordinator that sees it cannot combine it; empty if it can.
    """

    content: Vector | Words | None
    digest: bytes
    num_bytes: int
    flaw: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """An update, and what is said of it."""

    parcel: Parcel
    header: UpdateHeader


@dataclass(frozen=True, slots=True)
class Measured:
    """Sums over the examples that were measured."""

    sums: dict[str, float]


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing came of it, and why."""

    reason: str


class Duty(Protocol):
    """One job under way."""

    def finish(self) -> Trained | Measured | Failed:
        """Its outcome, at the virtual time at which it is done."""

    def forget(self) -> None:
        """Nobody wants it any more."""


class Work(Protocol):
    """Does what trainers do."""

    def begin(self, node: "NodeHost", asked: Train | Measure) -> Duty: ...


def sent(update_D: Vector, num_examples: int, sums: dict[str, float], digest: bytes) -> Trained:
    """An update as it leaves the trainer; `digest` as of its little-endian bytes."""
    return Trained(Parcel(update_D, digest, update_D.nbytes), header(num_examples, sums))


def header(num_examples: int, sums: dict[str, float]) -> UpdateHeader:
    """What goes with an update."""
    return UpdateHeader(num_examples=num_examples, sums=sums)
