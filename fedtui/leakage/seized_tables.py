"""The tables of a seized coordinator's database: what each is for, and what single rows tell."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fedtui.leakage import traces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Tells = Literal["nothing", "who", "key", "sums", "masked", "counts", "update", "unknown"]
SHORT_BYTES = 64  # ids, digests, keys and signatures
_EMPTY_MAP = b"\x80"  # MessagePack of no sums
KNOWN: dict[str, Tells] = {
    "alembic_version": "nothing",
    "allowlist": "who",
    "audit": "who",
    "audit_heads": "nothing",
    "checkpoints": "sums",
    "evaluations": "sums",
    "federations": "nothing",
    "invites": "nothing",
    "meta": "nothing",
    "nodes": "who",
    "roster": "who",
    "rotations": "who",
    "rounds": "who",
    "shares": "masked",
    "survivors": "who",
    "updates": "who",
}
"""What each table tells if its rows are as they should be."""
_LONG = {
    ("checkpoints", "sums"),
    ("checkpoints", "spread"),
    ("evaluations", "sums"),
    ("invites", "scope"),
    ("rotations", "statement"),
    ("rounds", "frozen"),
    ("shares", "sealed"),
    ("updates", "sums"),
}
"""Columns whose blobs may be longer than an id; they are searched for numbers all the same."""


@dataclass(frozen=True, slots=True)
class Found:
    """One table; `smallest_sum` is of survivors only: the fewest nodes that one round summed."""

    name: str
    num_rows: int
    num_bytes: int
    tells: Tells
    said: str = ""
    smallest_sum: int | None = None


def read(database: Path) -> Iterator[Found]:
    """Every table, from a copy of the database and its journal.

    Raises:
        OSError: it cannot be copied, or is no database.
    """
    with tempfile.TemporaryDirectory() as folder:
        for path in database.parent.glob(f"{database.name}*"):
            shutil.copyfile(path, Path(folder) / path.name)
        connection = sqlite3.connect(Path(folder) / database.name)
        connection.text_factory = bytes
        try:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for name in sorted(row[0].decode() for row in names.fetchall()):
                yield _table(connection, name)
        except sqlite3.DatabaseError as error:
            raise OSError(f"{database} is no database that can be read: {error}") from error
        finally:
            connection.close()


def _table(connection: sqlite3.Connection, name: str) -> Found:
    quoted = '"' + name.replace('"', '""') + '"'
    cursor = connection.execute(f"SELECT * FROM {quoted}")  # noqa: S608 - a name in quotes
    columns = [column[0] for column in cursor.description]
    rows = cursor.fetchall()
    blobs = [one for row in rows for one in row if isinstance(one, bytes)]
    size = sum(map(len, blobs))
    tells, said = _judged(name, columns, rows)
    smallest = _smallest_sum(columns, rows) if name == "survivors" else None
    return Found(name, len(rows), size, tells, said, smallest)


def _judged(
    name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> tuple[Tells, str]:
    if name not in KNOWN:
        return "unknown", ""
    for column, *values in zip(columns, *rows, strict=True):
        blobs = [one for one in values if isinstance(one, bytes) and not traces.is_text(one)]
        longest = max(map(len, blobs), default=0)
        if longest > SHORT_BYTES and (name, column) not in _LONG:
            return "unknown", f"; {column} has {longest} bytes"
        if any(traces.longest_floats(one) >= traces.FEWEST for one in blobs):
            return "unknown", f"; {column} holds a run of ordinary numbers"
    if name == "updates" and rows:
        return _updates(columns, rows)
    if name == "evaluations" and any(row[columns.index("num_nodes")] == 1 for row in rows):
        return "counts", "; some are the sums of a single evaluator"
    if name == "shares" and rows:
        place = columns.index("sealed")
        sealed = b"".join(one for row in rows if isinstance(one := row[place], bytes))
        if len(sealed) >= traces.FEWEST_BYTES and not traces.looks_random(sealed):
            return "unknown", "; what should be sealed is not random"
    return KNOWN[name], ""


def _updates(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> tuple[Tells, str]:
    """Masked rounds leave no weight and no sums of a node; the digest is of a masked vector."""
    weight, sums = columns.index("weight"), columns.index("sums")
    if any(row[weight] is not None or row[sums] != _EMPTY_MAP for row in rows):
        return "counts", "; weights, losses and digests of plain updates, node by node"
    return "who", "; digests of masked vectors, no weights, no sums"


def _smallest_sum(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int | None:
    places = [columns.index(one) for one in ("federation", "round", "attempt")]
    sizes: dict[tuple[object, ...], int] = {}
    for row in rows:
        key = tuple(row[place] for place in places)
        sizes[key] = sizes.get(key, 0) + 1
    return min(sizes.values(), default=None)
