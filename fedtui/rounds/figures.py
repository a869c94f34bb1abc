"""What is kept of how a visible update looked beside the others of its round.

Under masks there is none of it: nobody sees a single update.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one node's update: its length, 0 or more, and its cosine to the median, -1 to 1.

    `cosine` is None if the update, or the median of all, is nothing but zeros.
    """

    node: bytes
    length: float
    cosine: float | None


class _Look(Protocol):
    @property
    def length(self) -> float: ...
    @property
    def cosine(self) -> float | None: ...


def figures_of(nodes: Sequence[bytes], looks: Sequence[_Look]) -> tuple[Figure, ...]:
    """What was seen of each of these nodes' updates, in their order."""
    pairs = zip(nodes, looks, strict=True)
    return tuple(Figure(node, look.length, look.cosine) for node, look in pairs)
