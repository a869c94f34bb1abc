"""Which nodes of a roster add up together: all of them, or random groups of them.

    H(group | ctx, the commitments of all Ready messages in the roster's order) seeds a shuffle of
    the positions (by a keyed hash of each, as in graph.py); the first places are group 0, ...

Every node recomputes it from the roster. A commitment is bound to the secret behind it before any
other is seen in the roster, so nobody chooses a place; but who is the last to commit, or to leave
ready nodes out, can try again until the map suits it. Therefore `colluders` of a grouped plan are
those of the whole roster: even if all of them land in one group, its sum keeps its promise.

A group is a cohort of its own, with a roster, contexts and numbers of its own: nodes share secrets
and masks with its members only, and positions in what follows the Roster are those in the group.
Groups have `size` members or more; what is left over is spread, so that they differ by one.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from fedtui.crypto.keys import digest
from fedtui.secagg import context
from fedtui.secagg.context import RosterBody

LEAST = 3
MOST = 64
"""Members of a group that a plan may ask for; a group has less than twice as many."""


@dataclass(frozen=True, slots=True)
class Part:
    """A group: the positions of its members in the whole roster (rising), its roster, its ctx2."""

    positions: tuple[int, ...]
    body: RosterBody
    context2: bytes


def parts(ctx: bytes, whole: RosterBody) -> tuple[Part, ...]:
    """The groups of a roster; one part, the roster itself, if it has none."""
    context2, entries = context.roster_context(ctx, whole), whole.entries
    if not whole.group:
        return (Part(tuple(range(len(entries))), whole, context2),)
    shuffled = split(ctx, [entry.commitment for entry in entries], whole.group)
    return tuple(
        Part(
            positions,
            RosterBody(
                entries=tuple(entries[p] for p in positions),
                colluders=whole.colluders,
                minimum=whole.minimum,
                degree=len(positions) - 1,
            ),
            context.group_context(context2, index),
        )
        for index, positions in enumerate(shuffled)
    )


def split(ctx: bytes, commitments: Sequence[bytes], size: int) -> tuple[tuple[int, ...], ...]:
    """The positions of each group, rising: as many groups as `size` fits into the roster."""
    seed = digest("fedtui1-group", ctx, *commitments)
    num = len(commitments)
    order = sorted(range(num), key=lambda position: _rank(seed, position))
    count = max(1, num // size)
    cuts = [index * num // count for index in range(count + 1)]
    return tuple(tuple(sorted(order[first:stop])) for first, stop in pairwise(cuts))


def _rank(seed: bytes, position: int) -> bytes:
    return hashlib.blake2b(position.to_bytes(4, "little"), key=seed, digest_size=32).digest()
