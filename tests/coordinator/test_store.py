import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from coordinator import audit, database, writer
from coordinator.recording import Transaction
from coordinator.store import Store, StoreConflict, StoreFatal, StoreUnavailable
from fedtui.crypto.keys import Identity
from fedtui.rounds.history import replay
from fedtui.rounds.records import (
    Audited,
    Record,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)

COORDINATOR = Identity.from_seed(bytes(32))
NODES = tuple(n.to_bytes(32, "big") for n in range(1000))


def remark(text: str) -> Audited:
    return Audited(actor="operator", action="remarked", object=text)


def a_round(num_nodes: int) -> list[Record]:
    first = RoundFinished(
        0, 0, model_digest=b"0" * 32, checkpoint_name="m0", sums={}, seconds=0.0, num_bytes=4
    )
    begun = RoundStarted(
        1,
        1,
        phase="INVITING",
        model_digest=b"0" * 32,
        cohort=NODES[:num_nodes],
        deadline=1.0,
        incarnation=1,
    )
    return [first, begun]


def update_of(node: bytes) -> UpdateReceived:
    return UpdateReceived(
        1, 1, node=node, digest=b"u" * 32, num_bytes=4, weight=2.0, sums={"examples": 2.0}
    )


def remarks(directory: Path) -> list[str]:
    with database.reading(directory) as connection:
        found = audit.entries(connection)
        return [entry.object for entry in found if entry.action == "remarked"]


async def test_R6_every_open_is_a_new_incarnation(tmp_path: Path) -> None:
    federation = None
    for number in (1, 2, 3):
        store = Store.open(tmp_path / "state")
        assert store.incarnation == number
        assert federation in {None, store.federation_id}
        federation = store.federation_id
        store.close()
        store.close()


async def test_R4_before_survivors_and_after_a_restart_knows_what_to_do(tmp_path: Path) -> None:
    done = [*a_round(3), update_of(NODES[0]), update_of(NODES[1])]
    store = Store.open(tmp_path)
    await store.commit(done)
    store.close()
    store = Store.open(tmp_path)
    before = store.load_federation()
    assert before is not None
    assert before.open is not None
    assert (before.open.survivors, before.last_attempt) == (None, (1, 1))
    chosen = SurvivorsChosen(1, 1, nodes=NODES[:2])
    await store.commit([chosen])
    store.close()
    store = Store.open(tmp_path)
    after = store.load_federation()
    assert after == replay([*done, chosen])
    assert after == replace(before, open=replace(before.open, survivors=NODES[:2]))
    store.close()


async def test_a_second_process_is_told_who_has_the_store(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with pytest.raises(StoreConflict, match=r"in use by process \d+"):
        Store.open(tmp_path)
    store.close()
    Store.open(tmp_path).close()


async def test_it_belongs_to_one_coordinator(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    Store.open(tmp_path, identity=COORDINATOR).close()
    Store.open(tmp_path).close()
    with pytest.raises(StoreConflict, match=r"identity\.key"):
        Store.open(tmp_path, identity=Identity.from_seed(bytes([1]) * 32))
    Store.open(tmp_path, identity=COORDINATOR).close()


async def test_files_are_private_and_a_clean_stop_leaves_no_log_behind(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "state")
    await store.commit([remark("x")])
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()}
    assert set(modes) >= {"coordinator.db", "coordinator.db-wal", "coordinator.lock"}
    assert set(modes.values()) == {0o600}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    store.close()
    assert {p.name for p in (tmp_path / "state").iterdir()} == {
        "coordinator.db",
        "coordinator.lock",
    }


async def test_a_thousand_receipts_share_few_transactions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = []
    transact = writer.Writer._transact

    def counted(self: writer.Writer, works: list[Callable[[Transaction], object]]) -> list[object]:
        groups.append(len(works))
        return transact(self, works)

    monkeypatch.setattr(writer.Writer, "_transact", counted)
    store = Store.open(tmp_path)
    await store.commit(a_round(1000))
    await asyncio.gather(*(store.commit([update_of(node)]) for node in NODES))
    snapshot = store.load_federation()
    assert snapshot is not None
    assert snapshot.open is not None
    assert len(snapshot.open.updates) == 1000
    assert max(groups) <= writer.MAX_GROUP
    assert len(groups) < 200
    store.close()


async def test_the_commit_is_durable_when_it_returns(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "state")
    await store.commit([remark("kept")])
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in (tmp_path / "state").iterdir():  # what a SIGKILL now would leave
        (copy / path.name).write_bytes(path.read_bytes())
    store.close()
    again = Store.open(copy)
    again.close()
    assert remarks(copy) == ["kept"]


def failing(kind: str, name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(kind)
    error.sqlite_errorname = name
    return error


async def break_commits(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: sqlite3.Error
) -> None:
    def broken(self: Connection, *_: object) -> None:
        raise error

    monkeypatch.setattr(writer.Writer, "_transact", broken)


async def test_L5_a_full_disk_is_unavailable_and_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(tmp_path)
    with monkeypatch.context() as patch:
        await break_commits(store, patch, failing("database or disk is full", "SQLITE_FULL"))
        with pytest.raises(StoreUnavailable, match="make room"):
            await store.commit([remark("lost")])
    await store.commit([remark("kept")])
    store.close()
    assert remarks(tmp_path) == ["kept"]


async def test_L5_after_a_failed_sync_nothing_is_written_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(tmp_path)
    with monkeypatch.context() as patch:
        await break_commits(store, patch, failing("disk I/O error", "SQLITE_IOERR_FSYNC"))
        with pytest.raises(StoreFatal, match="has to stop"):
            await store.commit([remark("lost")])
    with pytest.raises(StoreFatal):
        await store.commit([remark("never")])
    store.close()
    assert (tmp_path / database.LOCK).read_text() != ""  # the next start looks through the file
    Store.open(tmp_path).close()
    assert remarks(tmp_path) == []


async def test_a_closed_store_takes_nothing(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.close()
    with pytest.raises(StoreFatal, match="closed"):
        await store.commit([remark("late")])


async def test_what_was_queued_is_written_before_it_closes(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    queued = [asyncio.create_task(store.commit([remark(str(n))])) for n in range(50)]
    await asyncio.sleep(0)
    store.close()
    await asyncio.gather(*queued)
    assert sorted(remarks(tmp_path), key=int) == [str(n) for n in range(50)]


async def test_an_unclean_stop_is_followed_by_a_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []
    monkeypatch.setattr(database, "check", checked.append)
    Store.open(tmp_path).close()
    Store.open(tmp_path).close()
    assert checked == []
    (tmp_path / database.LOCK).write_text("4711\n")
    Store.open(tmp_path).close()
    assert len(checked) == 1


async def test_R5_a_damaged_file_is_refused_with_a_way_out(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    await store.commit(a_round(1000))
    store.close()
    path = tmp_path / database.DATABASE
    raw = bytearray(path.read_bytes())
    for page in range(4, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 64] = b"\xaa" * 64
    path.write_bytes(raw)
    (tmp_path / database.LOCK).write_text("4711\n")
    with pytest.raises(StoreFatal):
        Store.open(tmp_path)
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreFatal):
        Store.open(tmp_path)


async def test_the_round_commit_signs_the_audit_head(tmp_path: Path) -> None:
    store = Store.open(tmp_path, identity=COORDINATOR)
    assert await store.audit_head() is None
    await store.commit(a_round(1)[:1])
    head = await store.audit_head()
    assert head is not None
    await store.commit([remark("after")])
    store.close()
    report = audit.verify_directory(tmp_path, key=COORDINATOR.public, held=[head])
    assert (report.problems, report.signed_through) == ((), head.sequence)
    assert report.num_entries == head.sequence + 2  # the remark, and the stop


async def test_names_for_people_and_warnings_for_the_log(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    await store.describe_federation(name="hospital", task="digits")
    assert all("SQLite" in warning for warning in store.warnings)
    assert store.num_waiting == 0
    store.close()
    with database.reading(tmp_path) as connection:
        row = connection.exec_driver_sql("SELECT name, task FROM federations").one()
    assert tuple(row) == ("hospital", "digits")
