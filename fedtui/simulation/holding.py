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

    def counted(self, node: int, number: int, *, yes: bool = True) -> None:
        """Whether the node's update of this round counts, as far as is known by now."""


class InMemory:
    """Of a run that is not kept: what a node held lately."""

    def __init__(self) -> None:
        self._held: dict[int, dict[int, Held]] = {}
        self._counted: set[tuple[int, int]] = set()  # node, round

    def before(self, node: int, number: int) -> Held | None:
        versions = self._held.get(node, {})
        found = [one for one in versions if one < number and (node, one) in self._counted]
        return versions[max(found)] if found else None

    def hold(self, node: int, number: int, held: Held) -> None:
        versions = self._held.get(node, {})
        found = [one for one in versions if one < number and (node, one) in self._counted]
        self._held[node] = {one: versions[one] for one in found if one == max(found)} | {
            number: held
        }

    def counted(self, node: int, number: int, *, yes: bool = True) -> None:
        if yes:
            self._counted.add((node, number))
        else:
            self._counted.discard((node, number))
