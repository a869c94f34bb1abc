"""Backup and restore of a coordinator's directory, each whole or not at all.

A backup is a folder: coordinator.db (SQLite's own online copy, so the server may be running), the
models that it names and that are still here (without the changes between them, which only save
traffic), the two TOML files, the manifest and the operator's own plug-ins. identity.key goes along
only when asked for: who has it can be this coordinator. The spool does not: a restored coordinator
begins its open round again. Both directions write a folder beside the target, sync it and rename
it.

A restored coordinator has forgotten what happened since. So its incarnation jumps by a million:
nodes then know that messages of the forgotten lives are old. Audit heads that nodes hold will show
that entries are missing, which is the truth.
"""

import errno
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from coordinator import checkpoints, database, schema
from coordinator.checkpoints import Checkpoint
from coordinator.files import DISK, StoreConflict, outcomes
from coordinator.layout import Layout
from coordinator.statefiles import KEPT, PATTERN, state_name
from coordinator.store import Store
from fedtui import plugins

_PLAIN = ("coordinator.toml", "plan.toml", "manifest.json", "rotations.json")


@dataclass(frozen=True, slots=True)
class Saved:
    """What a backup, or a restored directory, holds. `newest_round` is None without any model."""

    path: Path
    num_models: int
    newest_round: int | None
    has_identity: bool


def backup(root: Path, target: Path, *, with_identity: bool) -> Saved:
    """Write a backup of the coordinator in `root` as the new folder `target`. Slow.

    Raises:
        StoreConflict: there is no coordinator, `target` exists, or the newest model is missing.
        StoreUnavailable, StoreFatal: the disk does not allow it; nothing is left at `target`.
    """
    layout = Layout(root)
    if not (layout.state / database.DATABASE).exists():
        raise StoreConflict(f"{root} holds no coordinator: give its directory with --dir")
    with outcomes(), _Half(target) as half:
        copied = Layout(half)
        copied.checkpoints.mkdir(parents=True)
        _copy_database(layout.state, copied.state / database.DATABASE)
        named = _named(copied.state)
        present = [c for c in named if _copy(layout.checkpoints / c.name, copied.checkpoints)]
        if named and named[-1] not in present:
            raise StoreConflict(
                f"the newest model, {named[-1].name}, is missing: restore it first"
            )
        _copy_states(layout.checkpoints, copied.checkpoints, named)
        for name in (*_PLAIN, *([layout.identity.name] if with_identity else [])):
            _copy(root / name, half)
        plugins.keep_own(layout.plugins, copied.plugins)
    return _saved(target, present)


def restore(source: Path, root: Path) -> Saved:
    """Make the directory `root` of a backup. Slow: every model is verified.

    Raises:
        StoreConflict: `source` is no backup or damaged, or `root` exists.
        StoreUnavailable, StoreFatal: the disk does not allow it; nothing is left at `root`.
    """
    origin = Layout(source)
    if not (origin.state / database.DATABASE).exists():
        raise StoreConflict(f"{source} is no backup of a coordinator")
    with outcomes(), _Half(root) as half:
        made = Layout(half)
        shutil.copytree(source, half, dirs_exist_ok=True)
        for path in half.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
        (made.state / database.LOCK).write_text("restored\n")  # an unclean stop: checks the file
        store = Store.open(made.state)
        try:
            store.mark_restored(str(source))
        finally:
            store.close()
        named = _named(made.state)
        present = [c for c in named if (made.checkpoints / c.name).exists()]
        for checkpoint in present:
            if problem := checkpoints.verify(made.checkpoints, checkpoint):
                raise StoreConflict(f"the backup is damaged: {problem}")
        if named and named[-1] not in present:
            raise StoreConflict(f"the backup is damaged: {named[-1].name} is missing")
    return _saved(root, present)


class _Half:
    """A folder beside `target` that takes its name when all went well, and goes away if not."""

    def __init__(self, target: Path) -> None:
        self._target = target.absolute()

    def __enter__(self) -> Path:
        if os.path.lexists(self._target):
            raise StoreConflict(f"{self._target} exists: give another place")
        parent = self._target.parent
        self._path = Path(tempfile.mkdtemp(prefix=f".{self._target.name}.", dir=parent))
        return self._path

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                _sync_tree(self._path)
                self._publish()
        finally:
            shutil.rmtree(self._path, ignore_errors=True)

    def _publish(self) -> None:
        try:
            self._path.rename(self._target)
        except OSError as error:
            if error.errno in {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}:
                raise StoreConflict(f"{self._target} exists: give another place") from error
            raise
        DISK.sync_directory(self._target.parent)


def _sync_tree(path: Path) -> None:
    for entry in path.rglob("*"):
        if entry.is_dir():
            DISK.sync_directory(entry)
        else:
            handle = DISK.read(entry)
            DISK.sync(handle)
            DISK.close(handle)
    DISK.sync_directory(path)


def _copy_database(state: Path, target: Path) -> None:
    engine = database.open_readonly(state)
    try:
        sink = closing(sqlite3.connect(target))
        with database.meant(), database.raw(engine) as source, sink as copied:
            source.backup(copied)
            copied.execute("PRAGMA journal_mode=DELETE")  # one file, no WAL beside it
        target.chmod(0o600)
    finally:
        engine.dispose()


def _copy(source: Path, directory: Path) -> bool:
    """Copy a file if it is there; retention may have removed an old model by now."""
    try:
        shutil.copyfile(source, directory / source.name)
    except FileNotFoundError:
        return False
    (directory / source.name).chmod(0o600)
    return True


def _copy_states(source: Path, target: Path, named: list[Checkpoint]) -> None:
    """What the strategy kept with the newest models. StoreConflict if it is gone already."""
    copied = [_copy(source / state_name(c.round), target) for c in named[-KEPT:]]
    keeps = any(PATTERN.fullmatch(name) for name in DISK.names(source))
    if keeps and named[-1].round and not copied[-1]:
        raise StoreConflict("rounds went on faster than this backup was made: try again")


def _named(state: Path) -> list[Checkpoint]:
    """The models that a database names, oldest first."""
    with database.reading(state) as connection:
        rows = connection.execute(select(schema.checkpoints).order_by(schema.checkpoints.c.n))
        return [Checkpoint(row.path, row.n, row.digest, row.bytes) for row in rows]


def _saved(path: Path, present: list[Checkpoint]) -> Saved:
    newest = max((checkpoint.round for checkpoint in present), default=None)
    return Saved(path, len(present), newest, Layout(path).identity.exists())
