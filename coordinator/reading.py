"""Looking at a coordinator's database without writing to it, beside a running one or without.

The commands that only read use this: `status`, `nodes`, `audit`, `export`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

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
        BadDataError: it cannot be read.
    """
    if not (layout.state / database.DATABASE).exists():
        raise MissingInputError(
            f"{layout.root} holds no coordinator: give its directory with --dir"
        )
    engine = database.open_readonly(layout.state)
    try:
        with engine.connect() as connection:
            owner = connection.execute(select(schema.federations.c.id)).scalar_one()
            life = connection.execute(select(schema.meta.c.incarnation)).scalar_one()
            yield Reading(connection, bytes(owner), int(life))
    except (DBAPIError, sqlite3.Error) as error:
        raise BadDataError(
            f"{layout.state / database.DATABASE} cannot be read: {error}"
        ) from error
    finally:
        engine.dispose()
