"""What the coordinator saw of each group of a masked round, and which nodes that makes suspect.

A group that failed the checks, or whose mean lies far from the others', holds a bad node; which of
its members it is cannot be seen. Groups are drawn anew each time, so who is in such groups again
and again stands out.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

FAR_COSINE = -0.2
"""A mean that points away from the median of the groups by so much is far from it."""
FAR_LENGTH = 3.0
"""A mean that is so many times longer than the median length is far from it."""
LEAST_ROUNDS = 3
"""In fewer bad groups anybody may be by chance."""


class GroupSeen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One group: its survivors, and how its mean compares with the median of the groups' means.

    With a `reason` it is no part of the model. `length` is that of its mean (L2), `cosine` the one
    between it and the median; both are 0 where there was no usable mean.
    """

    nodes: tuple[bytes, ...]
    reason: str = ""
    length: float = 0.0
    cosine: float = 0.0


def far(groups: Sequence[GroupSeen]) -> tuple[GroupSeen, ...]:
    """Those that failed the checks, or lie far from the others."""
    lengths = sorted(one.length for one in groups if not one.reason)
    middle = lengths[len(lengths) // 2] if lengths else 0.0
    return tuple(
        one
        for one in groups
        if one.reason or one.cosine < FAR_COSINE or one.length > FAR_LENGTH * middle
    )


def suspects(rounds: Iterable[Sequence[GroupSeen]]) -> dict[bytes, tuple[int, int]]:
    """Nodes that were in bad groups more often than chance explains: (bad rounds, rounds) of each.

    At least LEAST_ROUNDS times, and in more than twice the share of the rounds in which an average
    node was.
    """
    bad: Counter[bytes] = Counter()
    all_: Counter[bytes] = Counter()
    for groups in rounds:
        all_.update(node for one in groups for node in one.nodes)
        bad.update(node for one in far(groups) for node in one.nodes)
    average = bad.total() / max(1, all_.total())
    return {
        node: (num, all_[node])
        for node, num in bad.items()
        if num >= LEAST_ROUNDS and num / all_[node] > 2 * average
    }
