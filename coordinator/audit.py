"""Who did what: an append-only chain in the `audit` table.

    record_n = MessagePack([seq, ts, actor, action, object, detail]), deterministic
    hash_n   = BLAKE2b-256(hash_(n-1) || record_n), hash_0 = 32 zero bytes

A bare chain shows neither truncation nor a full rewrite. So the head (count and hash) is signed by
the coordinator's Ed25519 key at every round commit and every 1,000 records, and travels to the
nodes, which keep it: `verify` compares the database with its own signatures and with theirs.
Entries are appended in the transaction of the thing they tell of: both happen, or neither.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import msgspec
from sqlalchemy import Connection, func, insert, select

from coordinator import schema
from coordinator.database import reading
from fedtui.rounds.records import Audited
from fedtui.wire.messages import AuditHead

PURPOSE = "fedtui1-audit"
SIGN_EVERY = 1000
GENESIS = bytes(32)
_TEXT_LIMIT = 1000  # characters of one field: entries stay small whoever caused them
_encoder = msgspec.msgpack.Encoder(order="deterministic")


class Signer(Protocol):
    """The part of an identity that signs heads."""

    def sign(self, purpose: str, message: bytes) -> bytes: ...


class Verifier(Protocol):
    """The public part of an identity."""

    def verify(self, purpose: str, message: bytes, signature: bytes) -> bool: ...


class Entry(msgspec.Struct, frozen=True):
    """One row of the chain; `ts` in UTC microseconds."""

    seq: int
    ts: int
    actor: str
    action: str
    object: str
    detail: str

    def hash_after(self, previous: bytes) -> bytes:
        """This entry's link: 32 bytes."""
        fields = [self.seq, self.ts, self.actor, self.action, self.object, self.detail]
        return blake2b(previous + _encoder.encode(fields), digest_size=32).digest()

    def line(self) -> str:
        """One line for people, control characters made visible."""
        when = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=self.ts)
        text = f"{self.seq:>6}  {when:%Y-%m-%d %H:%M:%S}Z  {self.actor}: {self.action}"
        text += f" {self.object}" if self.object else ""
        text += f" ({self.detail})" if self.detail else ""
        return "".join(c if c.isprintable() else "?" for c in text)


def head_message(federation: bytes, sequence: int, hash_: bytes) -> bytes:
    """What the signature of a head covers."""
    return _encoder.encode([federation, sequence, hash_])


class Chain:
    """The end of the chain inside one write transaction."""

    def __init__(self, connection: Connection, federation: bytes, signer: Signer | None) -> None:
        self._connection = connection
        self._federation = federation
        self._signer = signer
        self._end: tuple[int, bytes] | None = None

    def append(self, entry: Audited, *, ts: int) -> None:
        """Add an entry; sign the head if its number says so."""
        seq, previous = self._load()
        fields = (entry.actor, entry.action, entry.object, entry.detail)
        new = Entry(seq + 1, ts, *(text[:_TEXT_LIMIT] for text in fields))
        link = new.hash_after(previous)
        row = {**msgspec.structs.asdict(new), "prev": previous, "hash": link}
        self._connection.execute(insert(schema.audit), row)
        self._end = (new.seq, link)
        if new.seq % SIGN_EVERY == 0:
            self.sign()

    def sign(self) -> None:
        """Sign the head as it is now, if this store has a key."""
        seq, link = self._load()
        if self._signer is None or seq == 0 or seq == self._signed():
            return
        signature = self._signer.sign(PURPOSE, head_message(self._federation, seq, link))
        row = {"seq": seq, "hash": link, "signature": signature}
        self._connection.execute(insert(schema.audit_heads), row)

    def _load(self) -> tuple[int, bytes]:
        if self._end is None:
            columns = select(schema.audit.c.seq, schema.audit.c.hash)
            newest = columns.order_by(schema.audit.c.seq.desc()).limit(1)
            row = self._connection.execute(newest).first()
            self._end = (row.seq, row.hash) if row else (0, GENESIS)
        return self._end

    def _signed(self) -> int | None:
        return self._connection.execute(select(func.max(schema.audit_heads.c.seq))).scalar()


def newest_head(connection: Connection) -> AuditHead | None:
    """The newest signed head, as it travels to the nodes."""
    heads = select(schema.audit_heads).order_by(schema.audit_heads.c.seq.desc()).limit(1)
    row = connection.execute(heads).first()
    if row is None:
        return None
    return AuditHead(sequence=row.seq, hash=row.hash, signature=row.signature)


def entries(connection: Connection, *, after: int = 0) -> Iterator[Entry]:
    """The chain in order, from the entry after number `after`; streams, never all at once."""
    rows = select(schema.audit).where(schema.audit.c.seq > after).order_by(schema.audit.c.seq)
    for row in connection.execute(rows):
        yield Entry(row.seq, row.ts, row.actor, row.action, row.object, row.detail)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What `verify` found; the chain is sound if there are no problems."""

    num_entries: int
    head: bytes
    signed_through: int  # the newest entry that a valid signature covers; 0 if none
    num_heads: int
    problems: tuple[str, ...]


def verify(
    connection: Connection,
    *,
    federation: bytes,
    key: Verifier | None = None,
    held: Sequence[AuditHead] = (),
) -> AuditReport:
    """Recompute the chain and check every head: those stored, and those that nodes hold.

    Without `key` signatures are not checked and nothing counts as signed.
    """
    problems: list[str] = []
    stored = _heads(connection)
    wanted = {head.sequence: head for head in stored}
    links: dict[int, bytes] = {}
    interesting = set(wanted) | {head.sequence for head in held}
    num, link = _walk(connection, interesting, links, problems)
    signed_through = 0
    for where, heads in (("stored here", stored), ("held by a node", held)):
        for head in heads:
            problem = _check_head(head, links, num, federation=federation, key=key)
            if problem:
                problems.append(f"the head of entry {head.sequence} {where} {problem}")
            elif key is not None:
                signed_through = max(signed_through, head.sequence)
    return AuditReport(num, link, signed_through, len(stored) + len(held), tuple(problems))


def verify_directory(
    state: Path, *, key: Verifier | None = None, held: Sequence[AuditHead] = ()
) -> AuditReport:
    """`verify` the database in a state directory, beside a running coordinator or without one."""
    with reading(state) as connection:
        federation = connection.execute(select(schema.federations.c.id)).scalar_one()
        return verify(connection, federation=federation, key=key, held=held)


def _heads(connection: Connection) -> list[AuditHead]:
    rows = connection.execute(select(schema.audit_heads).order_by(schema.audit_heads.c.seq))
    return [AuditHead(sequence=r.seq, hash=r.hash, signature=r.signature) for r in rows]


def _walk(
    connection: Connection, interesting: set[int], links: dict[int, bytes], problems: list[str]
) -> tuple[int, bytes]:
    """Follow the chain; note the links of the interesting entries and the first break."""
    num, link = 0, GENESIS
    for row in connection.execute(select(schema.audit).order_by(schema.audit.c.seq)):
        entry = Entry(row.seq, row.ts, row.actor, row.action, row.object, row.detail)
        if entry.seq != num + 1:
            problems.append(f"entry {num + 1} is missing (the next is {entry.seq})")
        expected = entry.hash_after(link)
        if row.prev != link or row.hash != expected:
            problems.append(f"entry {entry.seq} was changed, or what came before it")
        num, link = entry.seq, expected
        if num in interesting:
            links[num] = link
        if len(problems) >= 20:
            problems.append("more was not looked at")
            break
    return num, link


def _check_head(
    head: AuditHead,
    links: dict[int, bytes],
    num: int,
    *,
    federation: bytes,
    key: Verifier | None,
) -> str:
    """What is wrong with a head, to follow `the head of entry N ...`; empty if nothing is."""
    message = head_message(federation, head.sequence, head.hash)
    if key is not None and not key.verify(PURPOSE, message, head.signature):
        return "has no valid signature of this coordinator"
    if head.sequence > num:
        return f"proves that entries were cut off: the chain ends at {num}"
    if links.get(head.sequence) != head.hash:
        return "does not match the chain: it was rewritten"
    return ""
