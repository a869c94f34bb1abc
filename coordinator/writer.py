"""The one thread that writes: a queue, group commit, and answers only after the commit.

Whatever waits in the queue (at most 100 pieces of work, gathered for at most 2 ms) shares one
transaction and one sync. If a piece of work fails, the group is rolled back and every piece runs
again in a transaction of its own, so that one bad piece spoils nothing but itself. Work must
therefore depend on nothing but its arguments and the database. After StoreFatal nothing is
written any more.
"""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from coordinator.database import meaning, meant, raw
from coordinator.files import StoreError, StoreFatal, StoreUnavailable
from coordinator.recording import Transaction

MAX_GROUP = 100
GATHER_S = 0.002
CHECKPOINT_EVERY = 100  # groups; well below a thousand pages of WAL in ordinary rounds

T = TypeVar("T")
Work = Callable[[Transaction], T]


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    work: Work[T]
    answer: Future[T]


class Writer:
    """Owns the engine's only connection from start to `stop`."""

    def __init__(
        self,
        engine: Engine,
        *,
        begin: Callable[[Connection], Transaction],
        committed: Callable[[Transaction], None],
    ) -> None:
        """Start the thread.

        `begin` makes the Transaction of a connection. `committed` is called in the thread after
        each commit and before its answers.
        """
        self._engine = engine
        self._begin = begin
        self._committed = committed
        self._queue: queue.SimpleQueue[_Item[object] | None] = queue.SimpleQueue()
        self._fatal: StoreFatal | None = None
        self._groups = 0
        self._guard = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def num_waiting(self) -> int:
        """How many pieces of work are queued, about."""
        return self._queue.qsize()

    @property
    def fatal(self) -> StoreFatal | None:
        """Why nothing is written any more, if so."""
        return self._fatal

    def submit(self, work: Work[T]) -> "Future[T]":
        """Queue a piece of work; the future answers when it is durable, or why it is not."""
        answer: Future[T] = Future()
        with self._guard:
            if self._closed:
                raise StoreFatal("the store is closed")
            self._queue.put(_Item(work, answer))  # type: ignore[arg-type]  # T is kept by answer
        return answer

    def stop(self) -> None:
        """Finish what is queued and end the thread. Slow; may be called twice."""
        with self._guard:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            group, more = self._gather()
            if group:
                self._perform(group)
                self._checkpoint_sometimes()
            if not more:
                return

    def _gather(self) -> tuple[list[_Item[object]], bool]:
        """The next group, and whether anything may follow it."""
        item = self._queue.get()
        until = time.monotonic() + GATHER_S
        group: list[_Item[object]] = []
        while item is not None:
            if item.answer.set_running_or_notify_cancel():
                group.append(item)
            if len(group) >= MAX_GROUP or time.monotonic() > until:
                return group, True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _perform(self, group: Sequence[_Item[object]]) -> None:
        if self._fatal is not None:
            for item in group:
                item.answer.set_exception(self._fatal)
            return
        try:
            results = self._transact([item.work for item in group])
        except Exception as error:  # noqa: BLE001  every piece of work gets its answer
            self._answer_failure(group, error)
        else:
            for item, result in zip(group, results, strict=True):
                item.answer.set_result(result)

    def _answer_failure(self, group: Sequence[_Item[object]], error: Exception) -> None:
        told = meaning(error) if isinstance(error, sqlite3.Error | DBAPIError) else error
        if isinstance(told, StoreFatal):
            self._fatal = told
        disk = isinstance(told, StoreFatal | StoreUnavailable)
        if not disk and len(group) > 1:
            for item in group:
                self._perform([item])
            return
        for item in group:
            told.__cause__ = error if told is not error else None
            item.answer.set_exception(told)

    def _transact(self, works: Sequence[Work[object]]) -> list[object]:
        with self._engine.connect() as connection:
            with connection.begin():
                tx = self._begin(connection)
                results = [work(tx) for work in works]
            self._committed(tx)
        self._groups += 1
        return results

    def _checkpoint_sometimes(self) -> None:
        """Move the WAL into the database now and then, noticing a failed sync."""
        if self._groups < CHECKPOINT_EVERY or self._fatal is not None:
            return
        self._groups = 0
        try:
            self.checkpoint("PASSIVE")
        except StoreFatal as error:
            self._fatal = error
        except StoreError:
            return  # the WAL keeps everything; the next attempt is a hundred groups away

    def checkpoint(self, mode: str) -> None:
        """Run a checkpoint in this thread: the writer's, or any after `stop`."""
        with meant(), raw(self._engine) as connection:
            connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
