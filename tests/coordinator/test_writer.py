import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

from coordinator import writer
from coordinator.audit import Chain
from coordinator.database import open_database
from coordinator.files import StoreConflict, StoreFatal
from coordinator.recording import Transaction
from coordinator.writer import Writer


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = open_database(None, unclean=False)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x INTEGER PRIMARY KEY)"))
    yield engine
    engine.dispose()


def begin(connection: Connection) -> Transaction:
    return Transaction(connection, Chain(connection, bytes(32), None), bytes(32), 1, 0)


def add(x: int, *, then: BaseException | None = None) -> writer.Work[int]:
    def work(tx: Transaction) -> int:
        tx.connection.execute(text("INSERT INTO t VALUES (:x)"), {"x": x})
        if then is not None:
            raise then
        return x

    return work


def stored(writer_: Writer) -> list[int]:
    rows = writer_.submit(lambda tx: tx.connection.execute(text("SELECT x FROM t")).all())
    return sorted(row.x for row in rows.result())


def held(writer_: Writer) -> threading.Event:
    """Keep the writer busy until the event is set, so that what follows shares a group."""
    go = threading.Event()
    writer_.submit(lambda _: go.wait(10))
    return go


def test_a_bad_piece_spoils_nothing_but_itself(engine: Engine) -> None:
    shown: list[int] = []
    w = Writer(engine, begin=begin, committed=lambda tx: shown.append(1))
    go = held(w)
    answers = [
        w.submit(add(1)),
        w.submit(add(2, then=StoreConflict("no"))),
        w.submit(add(1)),
        w.submit(add(3, then=ValueError("a bug"))),
        w.submit(add(4)),
    ]
    go.set()
    assert [answers[0].result(), answers[4].result()] == [1, 4]
    for index, kind in ((1, StoreConflict), (2, StoreConflict), (3, ValueError)):
        assert type(answers[index].exception()) is kind
    assert isinstance(answers[2].exception().__cause__, IntegrityError)  # type: ignore[union-attr]
    assert stored(w) == [1, 4]
    w.stop()


def test_answers_come_after_the_commit_and_the_roster(engine: Engine) -> None:
    order: list[str] = []
    w = Writer(engine, begin=begin, committed=lambda _: order.append("shown"))
    go = held(w)
    answer = w.submit(add(1))
    answer.add_done_callback(lambda _: order.append("answered"))
    go.set()
    answer.result()
    w.stop()
    assert order[-2:] == ["shown", "answered"]


def test_work_that_is_cancelled_in_time_is_not_done(engine: Engine) -> None:
    w = Writer(engine, begin=begin, committed=lambda _: None)
    go = held(w)
    answer = w.submit(add(1))
    assert answer.cancel()
    go.set()
    assert stored(w) == []
    w.stop()


def test_groups_are_bounded_and_all_is_written_at_stop(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    transact = Writer._transact
    monkeypatch.setattr(
        Writer, "_transact", lambda self, works: sizes.append(len(works)) or transact(self, works)
    )
    w = Writer(engine, begin=begin, committed=lambda _: None)
    go = held(w)
    answers = [w.submit(add(x)) for x in range(250)]
    go.set()
    w.stop()
    assert [answer.result() for answer in answers] == list(range(250))
    assert max(sizes) <= 100
    with pytest.raises(StoreFatal, match="closed"):
        w.submit(add(1000))
    w.stop()


@pytest.mark.parametrize("failure", [StoreFatal("the sync failed"), None])
def test_L5_a_checkpoint_that_cannot_sync_stops_the_writing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, failure: StoreFatal | None
) -> None:
    ran: list[str] = []

    def checkpoint(self: Writer, mode: str) -> None:
        ran.append(mode)
        if failure is not None:
            raise failure

    monkeypatch.setattr(writer, "CHECKPOINT_EVERY", 3)
    monkeypatch.setattr(Writer, "checkpoint", checkpoint)
    w = Writer(engine, begin=begin, committed=lambda _: None)
    outcomes = []
    for x in range(8):
        try:
            outcomes.append(w.submit(add(x)).result())
        except StoreFatal:
            outcomes.append(-1)
    w.stop()
    if failure is None:
        assert outcomes == list(range(8))
        assert ran == ["PASSIVE", "PASSIVE"]
    else:
        assert outcomes == [0, 1, 2, -1, -1, -1, -1, -1]
        assert ran == ["PASSIVE"]
        assert w.fatal is failure
