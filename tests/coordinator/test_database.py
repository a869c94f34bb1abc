import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from coordinator import database, schema
from coordinator.database import (
    DATABASE,
    LOCK,
    Lock,
    copy,
    filesystem,
    meaning,
    open_database,
    raw,
    reading,
    version_warning,
)
from coordinator.files import StoreConflict, StoreError, StoreFatal, StoreUnavailable

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw shared:2 - proc proc rw
40 22 0:40 / /home rw - nfs4 server:/home rw
41 40 8:2 / /home/local rw master:1 shared:7 - xfs /dev/sdb rw
42 22 0:41 / /mnt/with\\040space rw - fuse.sshfs me@there:/ rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/state", "ext4"),
        ("/home/alice/state", "nfs4"),
        ("/homestead", "ext4"),
        ("/home/local/state", "xfs"),
        ("/mnt/with space/state", "fuse.sshfs"),
    ],
)
def test_the_file_system_is_the_one_of_the_nearest_mount(path: str, kind: str) -> None:
    assert filesystem(Path(path), MOUNTS) == kind


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("nfs4", "cifs", "9p", "fuse.sshfs"):
        monkeypatch.setattr(database, "filesystem", lambda *_, kind=kind: kind)
        with pytest.raises(StoreConflict, match="local disk"):
            database.check_filesystem(tmp_path)
    monkeypatch.undo()
    database.check_filesystem(tmp_path)


def test_the_connection_is_set_up_for_power_loss(tmp_path: Path) -> None:
    engine = open_database(tmp_path / DATABASE, unclean=False)
    with raw(engine) as connection:
        found = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }
    engine.dispose()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_FULL", StoreUnavailable),
        ("SQLITE_READONLY_DBMOVED", StoreUnavailable),
        ("SQLITE_IOERR_WRITE", StoreUnavailable),
        ("SQLITE_BUSY", StoreUnavailable),
        ("SQLITE_IOERR_FSYNC", StoreFatal),
        ("SQLITE_IOERR_DIR_FSYNC", StoreFatal),
        ("SQLITE_IOERR_READ", StoreFatal),
        ("SQLITE_CORRUPT", StoreFatal),
        ("SQLITE_NOTADB", StoreFatal),
        ("SQLITE_ERROR", StoreFatal),
    ],
)
def test_L5_every_error_of_sqlite_has_a_meaning(name: str, kind: type[StoreError]) -> None:
    error = sqlite3.OperationalError("why")
    error.sqlite_errorname = name
    assert type(meaning(error)) is kind
    assert type(meaning(OperationalError("INSERT", {}, error))) is kind


def test_the_lock_names_its_holder_and_tells_an_unclean_stop(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    assert not lock.unclean
    with pytest.raises(StoreConflict, match=(tmp_path / LOCK).read_text().strip()):
        Lock(tmp_path)
    lock.release(clean=False)
    lock = Lock(tmp_path)
    assert lock.unclean
    lock.release(clean=True)
    lock = Lock(tmp_path)
    assert not lock.unclean
    lock.release(clean=True)


def test_old_versions_of_sqlite_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    for version, warned in (((3, 51, 2), True), ((3, 51, 3), False), ((4, 0, 0), False)):
        monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
        assert (version_warning() is not None) is warned


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    engine = open_database(path, unclean=False)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    before = path.read_bytes()
    with pytest.raises(StoreConflict, match="newer fedtui"):
        open_database(path, unclean=False)
    assert path.read_bytes() == before
    with pytest.raises(StoreConflict, match="schema 9999"), reading(tmp_path):
        pass


def test_readers_see_and_cannot_write(tmp_path: Path) -> None:
    engine = open_database(tmp_path / DATABASE, unclean=False)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO meta (one, incarnation) VALUES (1, 7)"))
    for running in (True, False):
        with reading(tmp_path) as connection:
            assert connection.execute(text("SELECT incarnation FROM meta")).scalar() == 7
            with pytest.raises(OperationalError, match="readonly"):
                connection.execute(text("DELETE FROM meta"))
        if running:
            engine.dispose()


def test_reading_where_nothing_is_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreConflict, match="holds no"), reading(tmp_path):
        pass


def test_a_path_of_any_name_can_be_read(tmp_path: Path) -> None:
    odd = tmp_path / "50% #1 ?mode=rw & é"
    odd.mkdir()
    open_database(odd / DATABASE, unclean=False).dispose()
    with reading(odd) as connection:
        assert connection.execute(text("SELECT count(*) FROM audit")).scalar() == 0


def test_a_copy_is_a_database_of_its_own(tmp_path: Path) -> None:
    engine = open_database(tmp_path / DATABASE, unclean=False)
    (tmp_path / "copy").mkdir()
    copy(engine, tmp_path / "copy" / DATABASE)
    engine.dispose()
    copied = open_database(tmp_path / "copy" / DATABASE, unclean=True)
    assert database.revision(copied) == schema.REVISION
    copied.dispose()
    assert not (tmp_path / "copy" / f"{DATABASE}.tmp").exists()
