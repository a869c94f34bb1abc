"""Who looks on while a simulated federation runs; every method may be left as it is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fedtui.rounds.machine import CoordinatorEvent, Upload
from fedtui.rounds.masking_steps import Journal, Prepare
from fedtui.rounds.records import Record
from fedtui.simulation.work import Parcel
from fedtui.wire.messages import FromNode

if TYPE_CHECKING:
    from fedtui.simulation.node_host import NodeHost


class Watch:
    """Sees everything and, as it is, does nothing about it."""

    def step(self) -> None:
        """Something happened."""

    def told(self, event: CoordinatorEvent) -> None:
        """The coordinator is about to hear this."""

    def said(self, node: "NodeHost", message: FromNode) -> None:
        """A node says this, whether or not it arrives."""

    def committed(self, records: Sequence[Record]) -> None:
        """The coordinator wrote these down, before it says anything of them."""

    def journalled(self, node: "NodeHost", entry: Journal) -> None:
        """A node wrote down what it goes along with."""

    def masked(self, node: "NodeHost", prepare: Prepare, parcel: Parcel) -> None:
        """A node is about to mask this update."""

    def uploads(self, node: "NodeHost", upload: Upload) -> None:
        """A node is about to send its update."""

    def acknowledged(self, node: bytes, digest: bytes) -> None:
        """The coordinator says that an update counts."""
