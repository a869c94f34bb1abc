"""What was seen of the groups of the newest masked attempts, and which nodes that makes suspect.

Read from the database when a coordinator opens or when somebody asks without one, and kept up by
the records that are committed.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection, select

from coordinator import schema
from fedtui.rounds import suspicion
from fedtui.rounds.records import RoundFailed, RoundFinished
from fedtui.rounds.suspicion import GroupSeen

if TYPE_CHECKING:
    from fedtui.rounds.records import Record

KEPT = 200
"""So many attempts are looked at: what was long ago makes nobody suspect."""

_decode = msgspec.msgpack.Decoder(tuple[GroupSeen, ...]).decode


@dataclass(slots=True)
class GroupsSeen:
    """The groups of the newest attempts, oldest first."""

    attempts: deque[tuple[GroupSeen, ...]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def committed(self, records: Iterable["Record"]) -> None:
        """These facts are durable now."""
        for record in records:
            if isinstance(record, RoundFinished | RoundFailed) and record.groups:
                self.attempts.append(record.groups)

    @property
    def counts(self) -> dict[bytes, tuple[int, int]]:
        """How often each node was in a bad group, and in any."""
        return suspicion.counts(self.attempts)

    @property
    def suspects(self) -> dict[bytes, tuple[int, int]]:
        """Those who were in bad groups more often than chance explains."""
        return suspicion.suspects(self.attempts)


def load(connection: Connection, federation: bytes) -> GroupsSeen:
    """What the database holds."""
    c = schema.rounds.c
    rows = (
        select(c.groups)
        .where(c.federation == federation, c.groups.is_not(None))
        .order_by(c.n.desc(), c.attempt.desc())
        .limit(KEPT)
    )
    newest = [_decode(row.groups) for row in connection.execute(rows)]
    return GroupsSeen(deque(reversed(newest), maxlen=KEPT))
