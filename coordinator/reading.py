"""Looking at a coordinator's database without writing to it, beside a running one or without.

The commands that only read use this: `status`, `nodes`, `audit`, `export`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, select

from coordinator import database, schema, snapshot
from coordinator.layout import Layout
from coordinator.refusals import BadDataError, MissingInputError
from fedtui.rounds.history import FederationSnapshot


@dataclass(frozen=True, slots=True)
class Reading:
    """An open, read-only database and whose it is."""

    connection: Connection
    federation_id: bytes
    incarnation: int

    def snapshot(self) -> FederationSnapshot:
        """The federation as last committed. Raises BadDataError if `init` did not finish."""
        found = snapshot.load(self.connection, self.federation_id)
        if found is None or not found.rounds:
            raise BadDataError("the database holds no initial model: 'init' did not finish")
        return found


@contextmanager
def reading(layout: Layout) -> Iterator[Reading]:
    """Open the database for reading.

    Raises:
        MissingInputError: there is none.
        StoreError: it cannot be read, or has another schema than this program.
    """
    if not (layout.state / database.DATABASE).exists():
        raise MissingInputError(
            f"{layout.root} holds no coordinator: make one with 'fedtui-coordinator init', or "
            "give its directory with --dir or FEDTUI_COORDINATOR_DIR"
        )
    with database.reading(layout.state) as connection:
        owner = connection.execute(select(schema.federations.c.id)).scalar_one()
        life = connection.execute(select(schema.meta.c.incarnation)).scalar_one()
        yield Reading(connection, bytes(owner), int(life))
