"""A migration that does not exist yet, to test how one that will exist behaves."""

import sqlite3
from contextlib import closing
from pathlib import Path

from coordinator import schema
from coordinator.database import DATABASE, MIGRATIONS

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.sql"))
TARGET = f"{int(schema.REVISION) + 1:04}"
OLD = (False, False, False, schema.REVISION, 4)
NEW = (True, True, True, TARGET, 4)

_STEP = '''
"""Rebuilds a table that others refer to, and changes rows."""

import sqlalchemy as sa
from alembic import op

revision = "{target}"
down_revision = "{present}"


def upgrade() -> None:
    with op.batch_alter_table("nodes") as batch:
        batch.add_column(sa.Column("extra", sa.Text(), server_default="new"))
        batch.alter_column("label", new_column_name="called")
    op.execute("UPDATE meta SET incarnation = incarnation + 100")
    {fail}
'''


def load(path: Path, directory: Path) -> Path:
    """A database as an older fedtui left it."""
    target = directory / DATABASE
    with closing(sqlite3.connect(target)) as connection:
        connection.executescript(path.read_text())
    return target


def next_step(directory: Path, *, fail: str = "") -> Path:
    """The project's migrations and one more."""
    folder = directory / "migrations"
    (folder / "versions").mkdir(parents=True)
    for path in MIGRATIONS.rglob("*.py"):
        (folder / path.relative_to(MIGRATIONS)).write_text(path.read_text())
    step = _STEP.format(target=TARGET, present=schema.REVISION, fail=fail)
    (folder / "versions" / f"{TARGET}_next.py").write_text(step)
    return folder


def shape(path: Path) -> tuple[object, ...]:
    """OLD or NEW, unless the migration stopped between them."""
    with closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(nodes)")]
        rows = connection.execute("SELECT count(*) FROM nodes").fetchone()[0]
        number = connection.execute("SELECT incarnation FROM meta").fetchone()[0]
        version = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    return ("extra" in columns, "called" in columns, number >= 100, version, rows)
