"""Bytes from and to nodes in this life: of every node, and of all together. Whole frames."""

from collections.abc import Iterable
from typing import NamedTuple

from fedtui.wire.tally import Tally


class Moved(NamedTuple):
    """Bytes received from nodes, and sent to them."""

    up: int
    down: int


def of_session(tally: Tally) -> Moved:
    """What one session moved so far."""
    return Moved(tally.received.num_bytes, tally.sent.num_bytes)


class Traffic:
    """Sessions that are over; those that live are added by whoever asks."""

    def __init__(self) -> None:
        self._past: dict[bytes, Moved] = {}
        self._all = Moved(0, 0)

    def ended(self, node_id: bytes, tally: Tally) -> None:
        """A session of this node is over."""
        self._past[node_id] = _sum(self._past.get(node_id, Moved(0, 0)), of_session(tally))
        self._all = _sum(self._all, of_session(tally))

    def total(self, living: Iterable[Tally]) -> Moved:
        """Of all nodes, with the sessions that live."""
        moved = [self._all, *map(of_session, living)]
        return Moved(sum(m.up for m in moved), sum(m.down for m in moved))

    def of(self, node_id: bytes, living: Tally | None) -> Moved:
        """Of one node, with its session if it lives."""
        past = self._past.get(node_id, Moved(0, 0))
        return past if living is None else _sum(past, of_session(living))


def _sum(one: Moved, other: Moved) -> Moved:
    return Moved(one.up + other.up, one.down + other.down)
