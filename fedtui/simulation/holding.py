"""What simulated nodes hold for their strategy from round to round.

A node that trains in a round begins with what it held after the last round before in which its
update counted. So a round that is tried again, or a run that is told again from an earlier round,
begins with the same, and training that never counted leaves no trace. As node/holding.py does it.
"""

from typing import Protocol

from fedtui.learning.params import Vector

Held = dict[str, Vector]


class Holding(Protocol):
    """Asked when a node begins to train, told when it is done."""

    def before(self, node: int, number: int) -> Held | None:
        """What the node held before round `number`; None: it never trained before."""

    def hold(self, node: int, number: int, held: Held) -> None:
        """What it holds after its training in round `number`, should that count."""

    def counted(self, node: int, number: int) -> None:
        """The coordinator acknowledged the node's update of this round."""


class InMemory:
    """Of a run that is not kept: what a node holds, and what came of its last training."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[int, Held]] = {}
        self._pending: dict[int, tuple[int, Held]] = {}

    def before(self, node: int, number: int) -> Held | None:
        version, held = self._held.get(node, (number, None))
        return held if version < number else None

    def hold(self, node: int, number: int, held: Held) -> None:
        self._pending[node] = number, held

    def counted(self, node: int, number: int) -> None:
        version, held = self._pending.get(node, (0, {}))
        if version == number:
            self._held[node] = version, held
