"""Store: everything the coordinator must not forget, in one SQLite file with one writer.

    store = Store.open(directory, identity=identity)
    await store.commit([RoundStarted(...), ...])     # one transaction; returns when durable
    snapshot = store.load_federation()               # after a restart
    store.close()

Acknowledged means durable: no method returns before its transaction is synced. Three things can
go wrong, for every method alike: StoreUnavailable (disk full or read-only; nothing happened, try
later), StoreFatal (a sync failed; the process must stop and recover at its next start), and
StoreConflict (what was asked contradicts what is stored; nothing happened, others go on).

Concurrent calls share one transaction (group commit), so a thousand receipts cost a few syncs.
`roster` is the members table in memory, in step with every commit. Model data is never in here:
see checkpoints.py and spool.py.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, insert, select, update

from coordinator import audit, database, figures, membership, recording, schema, snapshot
from coordinator.audit import Chain
from coordinator.figures import Figures
from coordinator.files import StoreConflict, StoreError, StoreFatal, StoreUnavailable, outcomes
from coordinator.membership import Enrolment, EnrolResult, Invite, InviteScope
from coordinator.recording import Transaction
from coordinator.roster import Member, Roster
from coordinator.writer import Work, Writer
from fedtui.crypto.keys import Identity, PublicIdentity, fingerprint
from fedtui.rounds.history import FederationSnapshot
from fedtui.rounds.records import Record
from fedtui.wire.messages import AuditHead

__all__ = [
    "EnrolResult",
    "Enrolment",
    "Invite",
    "InviteScope",
    "Member",
    "Store",
    "StoreConflict",
    "StoreError",
    "StoreFatal",
    "StoreUnavailable",
]

T = TypeVar("T")
Clock = Callable[[], int]


def wall_clock() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000


class Store:
    """Use `Store.open`. One per state directory, over all processes."""

    incarnation: int  # durable, +1 at every open
    federation_id: bytes  # 32 bytes, chosen at the first open
    roster: Roster
    warnings: tuple[str, ...]  # sentences for the operator's log

    def __init__(self, engine: Engine, lock: database.Lock | None, *, clock: Clock) -> None:
        """Use `Store.open` instead."""
        self._engine = engine
        self._lock = lock
        self._clock = clock
        self._identity: Identity | None = None
        self._closed = False
        self.invites_changed = 0  # grows with every change of the invites in this life
        warning = database.version_warning()
        self.warnings = (warning,) if warning else ()

    @classmethod
    def open(
        cls,
        directory: Path | None,
        *,
        identity: Identity | None = None,
        former_ids: frozenset[bytes] = frozenset(),
        federation_id: bytes | None = None,
        clock: Clock = wall_clock,
    ) -> "Store":
        """Open (or make) the store of a state directory; in memory if there is none. Slow.

        With an `identity` audit heads are signed; a database of one of its `former_ids` becomes
        its own, which the audit chain tells. `federation_id` is used at the first open only;
        by default it is random.

        Raises:
            StoreConflict: another process has it open, the database is newer than this program, it
                belongs to another coordinator, or the directory is on a network file system.
            StoreUnavailable, StoreFatal: the disk does not allow it, or the file is damaged.
        """
        lock = None
        if directory is not None:
            with outcomes():
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            database.check_filesystem(directory)
            lock = database.Lock(directory)
        try:
            path = directory / database.DATABASE if directory is not None else None
            engine = database.open_database(path, unclean=lock is not None and lock.unclean)
            store = cls(engine, lock, clock=clock)
            try:
                store._start(identity, former_ids, federation_id or os.urandom(32))
            except BaseException:
                engine.dispose()
                raise
        except BaseException:
            if lock is not None:
                lock.release(clean=False)
            raise
        return store

    def _start(
        self, identity: Identity | None, former_ids: frozenset[bytes], federation_id: bytes
    ) -> None:
        """Count the incarnation, find the federation, start the writer."""
        self._identity = identity
        with database.meant(), self._engine.connect() as connection, connection.begin():
            self.federation_id = _federation(connection, federation_id, self._clock())
            self.incarnation, owner = _next_incarnation(connection, identity, former_ids)
            self.roster = Roster(membership.nodes(connection))
            tx = self._begin(connection)
            tx.note("start", f"incarnation {self.incarnation}")
            if identity is not None and owner in former_ids:
                old, new = fingerprint(owner), fingerprint(identity.id)
                tx.note("coordinator key rotated", f"from {old}", f"to {new}")
                tx.chain.sign()
        self._writer = Writer(
            self._engine, begin=self._begin, committed=lambda tx: self.roster.show(tx.members)
        )

    def _begin(self, connection: Connection) -> Transaction:
        chain = Chain(connection, self.federation_id, self._identity)
        return Transaction(connection, chain, self.federation_id, self.incarnation, self._clock())

    def close(self) -> None:
        """Finish what is queued and let go of the directory. Slow; may be called twice."""
        if self._closed:
            return
        self._closed = True
        self._writer.stop()
        clean = self._writer.fatal is None
        try:
            if clean:
                self._last_words()
        except StoreError:
            clean = False
            raise
        finally:
            self._engine.dispose()
            if self._lock is not None:
                self._lock.release(clean=clean)

    def _last_words(self) -> None:
        with database.meant(), self._engine.connect() as connection, connection.begin():
            self._begin(connection).note("stop", f"incarnation {self.incarnation}")
        self._writer.checkpoint("TRUNCATE")

    @property
    def num_waiting(self) -> int:
        """How many writes are queued, about: for metrics."""
        return self._writer.num_waiting

    # ---- writing ----------------------------------------------------------------------------

    async def _do(self, work: Work[T]) -> T:
        return await asyncio.wrap_future(self._writer.submit(work))

    async def commit(self, records: Sequence[Record]) -> None:
        """Write all records in one transaction; returns when they are durable."""
        if records:
            await self._do(lambda tx: recording.write(tx, records))

    def mark_restored(self, source: str) -> None:
        """This database came from a backup: fence off the lives it does not know of. Blocks."""
        self._writer.submit(lambda tx: recording.restored(tx, source)).result()

    async def describe_federation(self, *, name: str, task: str) -> None:
        """Give the federation its names for people."""
        c = schema.federations.c
        change = update(schema.federations).where(c.id == self.federation_id)

        def work(tx: Transaction) -> None:
            tx.connection.execute(change.values(name=name, task=task))

        await self._do(work)

    # ---- membership -------------------------------------------------------------------------

    async def add_invite(
        self,
        invite_id: bytes,
        secret_hash: bytes,
        *,
        scope: InviteScope,
        expires_at: float,
        uses: int = 1,
        created_by: str,
    ) -> None:
        """Keep an invite; `secret_hash` is BLAKE2b of the secret, `expires_at` UTC seconds."""
        invite = Invite(
            invite_id=invite_id,
            secret_hash=secret_hash,
            scope=scope,
            expires_at=expires_at,
            uses_left=uses,
            created_by=created_by,
        )
        await self._do(lambda tx: membership.add_invite(tx, invite))
        self.invites_changed += 1

    async def invites(self) -> tuple[Invite, ...]:
        """Every invite, newest last, spent and expired ones too."""
        return await self._do(lambda tx: membership.invites(tx.connection))

    async def revoke_invite(self, invite_id: bytes, *, by: str) -> Invite:
        """Nobody can enrol with it any more."""
        invite = await self._do(lambda tx: membership.revoke_invite(tx, invite_id, by))
        self.invites_changed += 1
        return invite

    async def enrol(self, who: Enrolment, *, now: float) -> EnrolResult:
        """Let a node in (which burns its invite), keep it waiting, or refuse it."""
        result = await self._do(lambda tx: membership.enrol(tx, who, now))
        self.invites_changed += who.invite_id is not None
        return result

    async def allow(self, node_ids: Sequence[bytes], *, by: str) -> None:
        """Approve these ids whenever they come."""
        await self._do(lambda tx: membership.allow(tx, tuple(node_ids), by))

    async def approve(self, node_id: bytes, *, by: str) -> Member:
        return await self._do(lambda tx: membership.approve(tx, node_id, by))

    async def reject(self, node_id: bytes, *, by: str) -> Member:
        return await self._do(lambda tx: membership.reject(tx, node_id, by))

    async def revoke(self, node_id: bytes, *, by: str) -> Member:
        return await self._do(lambda tx: membership.revoke(tx, node_id, by))

    async def leave(self, node_id: bytes) -> Member:
        return await self._do(lambda tx: membership.leave(tx, node_id))

    async def rotate(self, old: bytes, new: PublicIdentity, *, statement: bytes) -> Member:
        """Put new keys in the place of old ones; the caller has checked both signatures."""
        return await self._do(lambda tx: membership.rotate(tx, old, new, statement))

    async def rotation_to(self, node_id: bytes) -> bytes | None:
        """The statement by which an older identity handed over to this one, if any did."""
        return await self._do(lambda tx: membership.rotation_to(tx.connection, node_id))

    async def touch(self, node_id: bytes, *, now: float, address: str | None = None) -> None:
        """The node was here."""
        await self._do(lambda tx: membership.touch(tx, node_id, now, address))

    async def nodes(self) -> tuple[Member, ...]:
        """Every node ever seen, oldest first."""
        return await self._do(lambda tx: membership.nodes(tx.connection))

    async def node(self, node_id: bytes) -> Member | None:
        return await self._do(lambda tx: membership.node(tx.connection, node_id))

    # ---- reading back -----------------------------------------------------------------------

    def load_federation(self) -> FederationSnapshot | None:
        """What a restart needs; None if nothing was recorded. Blocks: call it before serving."""
        work = self._writer.submit(lambda tx: snapshot.load(tx.connection, self.federation_id))
        return work.result()

    def load_figures(self) -> Figures:
        """How each node's newest counted update looked. Blocks: call it before serving."""
        work = self._writer.submit(lambda tx: figures.load(tx.connection, self.federation_id))
        return work.result()

    async def audit_head(self) -> AuditHead | None:
        """The newest signed head of the audit chain; None without an identity."""
        return await self._do(lambda tx: audit.newest_head(tx.connection))


def _federation(connection: Connection, federation_id: bytes, now: int) -> bytes:
    """The id of the one federation, made at the first open."""
    row = connection.execute(select(schema.federations.c.id)).first()
    if row is not None:
        return bytes(row.id)
    new = {"id": federation_id, "name": "", "task": "", "created": now, "paused": False}
    connection.execute(insert(schema.federations), new)
    return federation_id


def _next_incarnation(
    connection: Connection, identity: Identity | None, former_ids: frozenset[bytes]
) -> tuple[int, bytes]:
    """Count this life; return its number and whose the database was until now, b"" for nobody's.

    It belongs to the first identity that ever opened it, and to those it handed over to.
    """
    row = connection.execute(select(schema.meta)).first()
    if row is None:
        connection.execute(insert(schema.meta), {"one": 1, "incarnation": 0})
    owner = row.coordinator_id if row is not None else None
    if identity is not None and owner not in {None, identity.id, *former_ids}:
        raise StoreConflict(
            f"{database.DATABASE} belongs to the coordinator with another identity.key: restore "
            "that key, or start with an empty state directory"
        )
    incarnation: int = (row.incarnation if row is not None else 0) + 1
    values = {"incarnation": incarnation, "coordinator_id": identity.id if identity else owner}
    connection.execute(update(schema.meta).values(values))
    return incarnation, owner or b""
