"""Which coordinator.toml and plan.toml a life began with: in the audit chain, when it is another.

The chain itself remembers: the newest entry about a file holds its hash, so nothing else is kept,
and a start with the same files adds nothing.
"""

from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, select

from coordinator import schema
from coordinator.layout import Layout
from coordinator.reading import reading
from fedtui.rounds.records import Audited

IN_USE = "file in use"
CHANGED = "file changed since the last start"


def first(layout: Layout) -> list[Audited]:
    """What `init` says of the files that it made. Raises OSError."""
    return [_entry(path, IN_USE, _digest(path)) for path in _files(layout)]


def since_last_start(layout: Layout) -> list[Audited]:
    """What a start has to say: nothing, if both files are what they were. Raises OSError."""
    found = []
    with reading(layout) as database:
        for path in _files(layout):
            before, now = _last(database.connection, path.name), _digest(path)
            if before != now:
                found.append(_entry(path, IN_USE if before is None else CHANGED, now))
    return found


def _files(layout: Layout) -> tuple[Path, Path]:
    return layout.config, layout.plan


def _digest(path: Path) -> str:
    return f"sha256 {sha256(path.read_bytes()).hexdigest()}"


def _entry(path: Path, action: str, digest: str) -> Audited:
    return Audited(actor="coordinator", action=action, object=path.name, detail=digest)


def _last(connection: Connection, name: str) -> str | None:
    c = schema.audit.c
    mine = select(c.detail).where(c.object == name, c.action.in_((IN_USE, CHANGED)))
    found: str | None = connection.execute(mine.order_by(c.seq.desc()).limit(1)).scalar()
    return found
