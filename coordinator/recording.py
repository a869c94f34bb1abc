"""Each record of fedtui.rounds.records, written by one function inside a write transaction.

A record that contradicts the database (an update for a round that is not open, a second finish)
is our own bug and raises StoreConflict; the transaction that holds it is rolled back as a whole.
What the audit must know is appended here, so that no caller can forget it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from coordinator import schema
from coordinator.audit import Chain
from coordinator.files import StoreConflict
from coordinator.schema import microseconds
from fedtui.rounds.history import num_ready
from fedtui.rounds.records import (
    Audited,
    Evaluated,
    FederationEnded,
    FederationPaused,
    FederationResumed,
    PhaseEntered,
    Record,
    RolledBack,
    RoundFailed,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

    from coordinator.roster import Member

FORGOTTEN_ROUNDS = 100_000  # more rounds than there can have been since a backup
FORGOTTEN_LIVES = 1_000_000  # more starts than there can have been since a backup

_pack = msgspec.msgpack.Encoder(order="deterministic").encode


@dataclass(slots=True)
class Transaction:
    """What a piece of work may use while the writer's transaction is open."""

    connection: Connection
    chain: Chain
    federation: bytes
    incarnation: int
    now: int  # UTC microseconds
    members: "dict[bytes, Member]" = field(default_factory=dict)  # shown to the roster on commit

    def note(self, action: str, object_: str = "", detail: str = "", *, actor: str = "") -> None:
        """Append to the audit chain."""
        entry = Audited(actor=actor or "coordinator", action=action, object=object_, detail=detail)
        self.chain.append(entry, ts=self.now)


def write(tx: Transaction, records: Sequence[Record]) -> None:
    """Write all records, in order."""
    for record in records:
        _write(tx, record)


def _write(tx: Transaction, record: Record) -> None:
    match record:
        case RoundStarted():
            _started(tx, record)
        case PhaseEntered():
            values = {"phase": record.phase, "deadline": microseconds(record.deadline)}
            _change_open(tx, record.round, record.attempt, values)
        case UpdateReceived():
            _received(tx, record)
        case SurvivorsChosen():
            _survivors(tx, record)
        case RoundFinished():
            _finished(tx, record)
        case RoundFailed():
            values = {"outcome": "failed", "cause": record.cause, "ended": tx.now}
            _change_open(tx, record.round, record.attempt, values)
            tx.note("round failed", _name(record.round, record.attempt), record.cause)
        case Evaluated():
            _evaluated(tx, record)
        case RolledBack():
            _rolled_back(tx, record)
        case FederationEnded():
            _ended(tx, record)
        case FederationPaused() | FederationResumed():
            _paused(tx, record)
        case Audited():
            tx.chain.append(record, ts=tx.now)


def _name(round_: int, attempt: int) -> str:
    return f"round {round_} attempt {attempt}"


def _key(
    tx: Transaction, record: RoundStarted | UpdateReceived | SurvivorsChosen
) -> dict[str, object]:
    return {"federation": tx.federation, "round": record.round, "attempt": record.attempt}


def _is_open(tx: Transaction, round_: int, attempt: int) -> "ColumnElement[bool]":
    c = schema.rounds.c
    return and_(
        c.federation == tx.federation, c.n == round_, c.attempt == attempt, c.outcome == "open"
    )


def _change_open(tx: Transaction, round_: int, attempt: int, values: dict[str, object]) -> None:
    """Change the row of an open attempt; there must be one."""
    change = update(schema.rounds).where(_is_open(tx, round_, attempt)).values(values)
    if tx.connection.execute(change).rowcount != 1:
        raise StoreConflict(f"{_name(round_, attempt)} is not open")


def _started(tx: Transaction, record: RoundStarted) -> None:
    _abandon(tx)
    row = {
        "federation": tx.federation,
        "n": record.round,
        "attempt": record.attempt,
        "phase": record.phase,
        "model_digest": record.model_digest,
        "deadline": microseconds(record.deadline),
        "incarnation": record.incarnation,
        "outcome": "open",
        "cause": "",
        "started": tx.now,
    }
    tx.connection.execute(insert(schema.rounds), row)
    if record.cohort:
        cohort = [{**_key(tx, record), "node": node} for node in record.cohort]
        tx.connection.execute(insert(schema.roster), cohort)
    tx.note("cohort frozen", _name(record.round, record.attempt), f"{len(record.cohort)} nodes")


_INSERT_UPDATE = """
INSERT INTO updates
    (federation, round, attempt, node, digest, bytes, weight, sums, received, seconds)
SELECT federation, n, attempt, ?, ?, ?, ?, ?, ?, ? FROM rounds
WHERE federation = ? AND n = ? AND attempt = ? AND outcome = 'open'
"""


def _received(tx: Transaction, record: UpdateReceived) -> None:
    """The one hot path: a thousand of these come at once, so it is one plain statement."""
    update_ = (record.node, record.digest, record.num_bytes, record.weight, _pack(record.sums))
    key = (tx.federation, record.round, record.attempt)
    times = (tx.now, record.seconds)
    done = tx.connection.exec_driver_sql(_INSERT_UPDATE, (*update_, *times, *key))
    if done.rowcount != 1:
        raise StoreConflict(f"{_name(record.round, record.attempt)} is not open")


def _survivors(tx: Transaction, record: SurvivorsChosen) -> None:
    if not record.nodes:
        raise StoreConflict(f"{_name(record.round, record.attempt)} cannot go on without updates")
    num = num_ready(record.frozen)
    values: dict[str, object] = {"frozen": record.frozen or None, "num_ready": num or None}
    _change_open(tx, record.round, record.attempt, values)
    rows = [{**_key(tx, record), "node": node} for node in record.nodes]
    tx.connection.execute(insert(schema.survivors), rows)
    name = _name(record.round, record.attempt)
    tx.note("survivors chosen", name, f"{len(record.nodes)} updates in the sum")


def _finished(tx: Transaction, record: RoundFinished) -> None:
    if record.round:  # round 0 is the initial model: it has no conversation
        values = {"outcome": "finished", "ended": tx.now, "frozen": None}  # needed no more
        _change_open(tx, record.round, record.attempt, values)
    row = {
        "federation": tx.federation,
        "n": record.round,
        "attempt": record.attempt,
        "path": record.checkpoint_name,
        "digest": record.model_digest,
        "bytes": record.num_bytes,
        "sums": _pack(record.sums),
        "seconds": record.seconds,
        "committed": tx.now,
        "spread": _pack(record.spread) if record.spread is not None else None,
    }
    tx.connection.execute(insert(schema.checkpoints), row)
    name = _name(record.round, record.attempt)
    tx.note("round committed", name, f"model {record.model_digest.hex()}")
    tx.chain.sign()


def _evaluated(tx: Transaction, record: Evaluated) -> None:
    c = schema.evaluations.c
    mine = and_(c.federation == tx.federation, c.n == record.round)
    tx.connection.execute(delete(schema.evaluations).where(mine))
    row = {
        "federation": tx.federation,
        "n": record.round,
        "model_digest": record.model_digest,
        "score": record.score,
        "num_nodes": record.num_nodes,
        "sums": _pack(record.sums),
        "at": tx.now,
    }
    tx.connection.execute(insert(schema.evaluations), row)


def _rolled_back(tx: Transaction, record: RolledBack) -> None:
    c = schema.checkpoints.c
    mine = and_(c.federation == tx.federation, c.n == record.round, c.attempt == record.attempt)
    change = update(schema.checkpoints).where(mine).values(rolled_back=record.cause)
    name = _name(record.round, record.attempt)
    if tx.connection.execute(change).rowcount != 1:
        raise StoreConflict(f"{name} has no model that could be rolled back")
    tx.note("round rolled back", name, record.cause)


def _paused(tx: Transaction, record: FederationPaused | FederationResumed) -> None:
    if isinstance(record, FederationPaused):
        _federation(tx, "paused", record.reason, values={"paused": True})
    else:
        _federation(tx, "resumed", "", values={"paused": False})


def _ended(tx: Transaction, record: FederationEnded) -> None:
    _abandon(tx)
    values = {"ended": record.reason, "result_round": record.result_round}
    _federation(tx, "ended", record.reason, values=values)
    tx.chain.sign()


def _abandon(tx: Transaction) -> None:
    """No attempt is open any more."""
    c = schema.rounds.c
    stale = update(schema.rounds).where(c.federation == tx.federation, c.outcome == "open")
    tx.connection.execute(stale.values(outcome="abandoned", ended=tx.now))


def restored(tx: Transaction, source: str) -> None:
    """The database is a copy from the past: what was open is lost, later lives are forgotten.

    Under masks nodes may have voted in rounds that the copy does not know of, and would refuse
    another attempt of any of them: the numbers of all that there can have been are burnt.
    """
    _abandon(tx)
    u, r = schema.updates.c, schema.rounds.c
    masked = select(u.round).where(u.federation == tx.federation, u.weight.is_(None)).limit(1)
    if tx.connection.execute(masked).first() is not None:
        newest = select(func.max(r.n)).where(r.federation == tx.federation)
        row = {
            "federation": tx.federation,
            "n": tx.connection.execute(newest).scalar_one() + FORGOTTEN_ROUNDS,
            "attempt": 1,
            "phase": "FAILED",
            "model_digest": bytes(32),
            "deadline": tx.now,
            "incarnation": tx.incarnation,
            "outcome": "failed",
            "cause": "a backup was restored: rounds up to this one may have been voted for",
            "started": tx.now,
            "ended": tx.now,
            "frozen": b"restored",
        }
        tx.connection.execute(insert(schema.rounds), row)
    c = schema.meta.c
    tx.connection.execute(update(schema.meta).values(incarnation=c.incarnation + FORGOTTEN_LIVES))
    tx.note("restored from backup", source)


def _federation(tx: Transaction, what: str, reason: str, *, values: dict[str, object]) -> None:
    c = schema.federations.c
    mine = and_(c.id == tx.federation, c.ended.is_(None))
    change = update(schema.federations).where(mine)
    if tx.connection.execute(change.values(values)).rowcount != 1:
        raise StoreConflict("the federation has ended; nothing can follow")
    tx.note(f"federation {what}", "", reason)
