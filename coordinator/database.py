"""One SQLite file, opened so that what is acknowledged survives a power loss.

One process (lock file), one read-write connection (WAL, synchronous=FULL), any number of
read-only ones. `open_database` brings the schema up to date after a backup copy and checks the
file after an unclean stop. Checkpoints of the WAL are run by the writer, not by SQLite on its own:
SQLite's automatic one ignores a failed sync, and a failed sync must stop the process.
"""

import fcntl
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast
from urllib.parse import quote

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError

from coordinator import schema
from coordinator.files import (
    DISK,
    StoreConflict,
    StoreError,
    StoreFatal,
    StoreInUse,
    StoreUnavailable,
    outcomes,
)

DATABASE = "coordinator.db"
LOCK = "coordinator.lock"
MIGRATIONS = Path(__file__).parent / "migrations"
SOUND_SQLITE = (3, 51, 3)
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"}
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
)
_PRAGMAS_MACOS = ("PRAGMA fullfsync=1", "PRAGMA checkpoint_fullfsync=1")
_LATER = {"SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"}  # rolled back; may work again
_LATER_FAMILIES = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_CANTOPEN")


def meaning(error: sqlite3.Error | DBAPIError) -> StoreError:
    """What an error of the database means for who asked."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, sqlite3.IntegrityError):
        return StoreConflict(f"this contradicts what is stored ({original})")
    name = getattr(original, "sqlite_errorname", None) or ""
    if name in _LATER or name.startswith(_LATER_FAMILIES):
        return StoreUnavailable(
            f"{DATABASE}: {original}; make room or make it writable, then it goes on"
        )
    return StoreFatal(
        f"{DATABASE}: {original} ({name or 'no code'}); the coordinator has to stop: check the "
        "disk, then start it again"
    )


@contextmanager
def meant() -> Iterator[None]:
    """Turn errors of the database into their meaning."""
    try:
        yield
    except (sqlite3.Error, DBAPIError) as error:
        raise meaning(error) from error


class Lock:
    """An exclusive lock on the state directory, held by this process until `release`."""

    def __init__(self, directory: Path) -> None:
        """Take the lock.

        Raises:
            StoreInUse: another process holds it; the text names its pid.
        """
        with outcomes():
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._handle = os.open(directory / LOCK, flags, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._handle, 32, 0).decode(errors="replace").strip()
            os.close(self._handle)
            raise StoreInUse(
                f"{directory} is in use by process {holder or 'unknown'}: use its admin commands, "
                "or stop it first"
            ) from None
        self.unclean = os.pread(self._handle, 32, 0) != b""
        with outcomes():
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)
            os.fsync(self._handle)

    def release(self, *, clean: bool) -> None:
        """Let others in; after a clean stop the next start need not check the file."""
        if clean:
            with outcomes():
                os.ftruncate(self._handle, 0)
        os.close(self._handle)


def filesystem(directory: Path, mounts: str) -> str | None:
    """The type of file system that holds a directory, by the text of /proc/self/mountinfo."""
    best: tuple[int, str] | None = None
    for line in mounts.splitlines():
        fields = line.split()
        point = Path(fields[4].replace("\\040", " "))
        if directory.is_relative_to(point) and (best is None or len(point.parts) >= best[0]):
            best = (len(point.parts), fields[fields.index("-") + 1])
    return best[1] if best else None


def check_filesystem(directory: Path) -> None:
    """Refuse a network file system: WAL needs memory that all openers share.

    Raises:
        StoreConflict: it is one, as far as this system tells (Linux does).
    """
    try:
        mounts = Path("/proc/self/mountinfo").read_text()
    except OSError:
        return
    kind = filesystem(directory.resolve(), mounts)
    if kind in _NETWORK or (kind or "").startswith("fuse."):
        raise StoreConflict(
            f"{directory} is on a network or user-space file system ({kind}), where SQLite can "
            "lose data: put the state directory on a local disk"
        )


def version_warning() -> str | None:
    """A sentence for the operator if this SQLite has a known flaw."""
    if sqlite3.sqlite_version_info >= SOUND_SQLITE:
        return None
    return (
        f"SQLite {sqlite3.sqlite_version} has a rare fault (fixed in 3.51.3) when two connections "
        "write at once; fedtui uses one, so leave coordinator.db to it alone"
    )


def _connect(path: Path | None) -> sqlite3.Connection:
    """The read-write connection; in memory if there is no path."""
    connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
    macos = _PRAGMAS_MACOS if sys.platform == "darwin" else ()
    for pragma in (*_PRAGMAS, *macos):
        connection.execute(pragma)
    return connection


def connect(path: Path | None) -> Engine:
    """An engine with the one read-write connection, whatever the file holds; in memory without."""
    if path is not None:
        DISK.close(DISK.append(path))  # made here, so that it and its WAL are 0600
    engine = create_engine("sqlite://", creator=lambda: _connect(path), poolclass=StaticPool)
    event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def open_database(path: Path | None, *, unclean: bool) -> Engine:
    """`connect`, then bring the schema up to date; check the contents after an `unclean` stop.

    Raises:
        StoreUnavailable, StoreFatal: the disk does not allow it, or the file is damaged.
    """
    engine = connect(path)
    try:
        with meant():
            if unclean:
                check(engine)
            upgrade(engine, path)
        if path is not None:
            DISK.sync_directory(path.parent)
    except BaseException:
        engine.dispose()
        raise
    return engine


def check(engine: Engine) -> None:
    """Look through the whole file.

    Raises:
        StoreFatal: it is damaged; the text says where.
    """
    with raw(engine) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        found = [] if found == ["ok"] else found
        found += [
            f"dangling row in {row[0]}" for row in connection.execute("PRAGMA foreign_key_check")
        ]
    if found:
        raise StoreFatal(
            f"{DATABASE} is damaged ({'; '.join(found[:3])}): restore a backup with "
            "'fedtui-coordinator restore'"
        )


@contextmanager
def raw(engine: Engine) -> Iterator[sqlite3.Connection]:
    """The driver's connection, outside any transaction: for pragmas and copies."""
    pooled = engine.raw_connection()
    try:
        driver = pooled.driver_connection
        yield cast("sqlite3.Connection", driver)
    finally:
        pooled.close()


def upgrade(
    engine: Engine, path: Path | None, *, scripts: Path = MIGRATIONS, target: str = schema.REVISION
) -> None:
    """Bring the schema to `target` in one transaction, after a copy of an older database."""
    present = revision(engine)
    if present == target:
        return
    if present is not None and present > target:
        raise StoreConflict(
            f"{DATABASE} was written by a newer fedtui (schema {present}, this one knows "
            f"{target}): install that version"
        )
    if present is not None and path is not None:
        copy(engine, path.with_name(f"{path.name}.before-{target}"))
    from alembic import command  # noqa: PLC0415  0.1 s that only an upgrade has to pay
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    # A table that is rebuilt is dropped on the way, which its references must not notice.
    _set_foreign_keys(engine, "OFF")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, target)
        if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
            raise StoreFatal(f"{DATABASE} cannot be upgraded: rows refer to what is not there")
    _set_foreign_keys(engine, "ON")


def _set_foreign_keys(engine: Engine, state: str) -> None:
    with raw(engine) as connection:
        connection.execute(f"PRAGMA foreign_keys={state}")


def revision(engine: Engine) -> str | None:
    """The schema that the database has; None if it is empty."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)


def copy(engine: Engine, target: Path) -> None:
    """A consistent copy of the database as a file, synced, under its name only when complete."""
    half = target.with_name(f"{target.name}.tmp")
    DISK.close(DISK.create(half))
    with raw(engine) as source, closing(sqlite3.connect(half)) as sink:
        source.backup(sink)
    handle = DISK.append(half)
    DISK.sync(handle)
    DISK.close(handle)
    DISK.rename(half, target)
    DISK.sync_directory(target.parent)


def open_readonly(directory: Path) -> Engine:
    """An engine that can only read, beside a running coordinator or without one."""
    uri = f"file:{quote(str((directory / DATABASE).resolve()))}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool)
    event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN"))
    return engine


@contextmanager
def reading(directory: Path) -> Iterator[Connection]:
    """A connection that sees one consistent state and cannot write, for commands that only look.

    Raises:
        StoreConflict: there is no database, or it has another schema than this program.
        StoreUnavailable, StoreFatal: it cannot be read.
    """
    if not (directory / DATABASE).is_file():
        raise StoreConflict(f"{directory} holds no {DATABASE}: give the coordinator's directory")
    engine = open_readonly(directory)
    try:
        with meant():
            if (found := revision(engine)) != schema.REVISION:
                raise StoreConflict(
                    f"{DATABASE} has schema {found}, this program reads {schema.REVISION}: start "
                    "'fedtui-coordinator serve' once, it upgrades the file after a backup"
                )
            with engine.connect() as connection:
                yield connection
    finally:
        engine.dispose()
