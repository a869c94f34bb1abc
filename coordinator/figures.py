"""How the newest counted update of each node looked beside the others of its round.

Read from the database when a coordinator opens or when somebody asks without one, and kept up by
the records that are committed. The rounds before are in the database only.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from coordinator import schema
from fedtui.rounds.figures import Figure
from fedtui.rounds.records import Record, RoundFinished


@dataclass(slots=True)
class Figures:
    """`of` each node its newest round with figures, and these."""

    of: dict[bytes, tuple[int, Figure]] = field(default_factory=dict)

    def committed(self, records: Iterable[Record]) -> None:
        """These facts are durable now."""
        for record in records:
            if isinstance(record, RoundFinished):
                self.of.update((one.node, (record.round, one)) for one in record.figures)

    def of_round(self, number: int) -> tuple[Figure, ...]:
        """Those of a round, in order of the nodes' ids, as long as it is their newest."""
        return tuple(one for _, (of, one) in sorted(self.of.items()) if of == number)


def load(connection: Connection, federation: bytes) -> Figures:
    """What the database holds."""
    c = schema.updates.c
    rows = (
        select(c.round, c.node, c.length, c.cosine)
        .where(c.federation == federation, c.length.is_not(None))
        .order_by(c.round)
    )
    found = connection.execute(rows)
    return Figures(
        {row.node: (row.round, Figure(row.node, row.length, row.cosine)) for row in found}
    )
