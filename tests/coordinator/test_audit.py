from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, delete, update

from coordinator import schema
from coordinator.audit import (
    PURPOSE,
    AuditReport,
    Chain,
    Entry,
    entries,
    head_message,
    newest_head,
    verify,
)
from fedtui.crypto.keys import Identity
from fedtui.rounds.records import Audited
from fedtui.wire.messages import AuditHead

COORDINATOR = Identity.from_seed(bytes(32))
FEDERATION = b"f" * 32


@contextmanager
def fresh() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def note(number: int) -> Audited:
    return Audited(actor="operator", action="did", object=f"thing {number}", detail="as asked")


def append(connection: Connection, num: int, *, signer: Identity | None = COORDINATOR) -> Chain:
    chain = Chain(connection, FEDERATION, signer)
    for number in range(num):
        chain.append(note(number), ts=1_700_000_000_000_000 + number)
    return chain


def report(connection: Connection, *held: AuditHead) -> AuditReport:
    return verify(connection, federation=FEDERATION, key=COORDINATOR.public, held=held)


def test_the_chain_is_what_the_design_says() -> None:
    with fresh() as connection:
        append(connection, 2)
        link = bytes(32)
        for number in range(2):
            ts = 1_700_000_000_000_000 + number
            fields = [number + 1, ts, "operator", "did", f"thing {number}", "as asked"]
            record = msgspec.msgpack.Encoder(order="deterministic").encode(fields)
            link = blake2b(link + record, digest_size=32).digest()
        assert report(connection).head == link


def test_heads_are_signed_every_thousand_entries_and_on_demand() -> None:
    with fresh() as connection:
        chain = append(connection, 1001)
        first = newest_head(connection)
        assert first is not None
        assert first.sequence == 1000
        chain.sign()
        chain.sign()
        head = newest_head(connection)
        assert head is not None
        assert head.sequence == 1001
        message = head_message(FEDERATION, 1001, head.hash)
        assert COORDINATOR.public.verify(PURPOSE, message, head.signature)
        found = report(connection, head)
        assert (found.problems, found.num_entries, found.signed_through) == ((), 1001, 1001)
        assert found.num_heads == 3


def test_without_a_key_nothing_is_signed() -> None:
    with fresh() as connection:
        append(connection, 3, signer=None).sign()
        assert newest_head(connection) is None
        found = verify(connection, federation=FEDERATION)
        assert (found.problems, found.signed_through) == ((), 0)


def change_a_field(connection: Connection) -> None:
    connection.execute(update(schema.audit).where(schema.audit.c.seq == 4).values(actor="nobody"))


def remove_one(connection: Connection) -> None:
    connection.execute(delete(schema.audit).where(schema.audit.c.seq == 4))


def swap_two(connection: Connection) -> None:
    for old, new in ((4, -1), (5, 4), (-1, 5)):
        connection.execute(update(schema.audit).where(schema.audit.c.seq == old).values(seq=new))


def change_hash(connection: Connection) -> None:
    connection.execute(update(schema.audit).where(schema.audit.c.seq == 9).values(hash=bytes(32)))


def rewrite(connection: Connection, num: int, *, heads: bool) -> None:
    """The attack that a bare chain does not show: a new history, perfectly chained."""
    if not heads:
        connection.execute(delete(schema.audit_heads))
    connection.execute(delete(schema.audit))
    chain = Chain(connection, FEDERATION, None)
    for number in range(num):
        chain.append(note(number + 100), ts=number)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (change_a_field, "entry 4 was changed"),
        (remove_one, "entry 4 is missing"),
        (swap_two, "entry 4 was changed"),
        (change_hash, "entry 9 was changed"),
        (lambda c: rewrite(c, 9, heads=True), "does not match the chain"),
        (lambda c: rewrite(c, 3, heads=True), "entries were cut off: the chain ends at 3"),
        (lambda c: rewrite(c, 9, heads=False), "held by a node does not match"),
        (lambda c: rewrite(c, 3, heads=False), "held by a node proves"),
    ],
)
def test_every_change_to_the_past_shows(damage: Callable[[Connection], None], told: str) -> None:
    with fresh() as connection:
        append(connection, 9).sign()
        held = newest_head(connection)
        assert held is not None
        damage(connection)
        found = report(connection, held)
        assert any(told in problem for problem in found.problems), found.problems


def test_a_head_of_somebody_else_is_no_head() -> None:
    with fresh() as connection:
        append(connection, 5, signer=Identity.from_seed(bytes([1]) * 32)).sign()
        found = report(connection)
        assert "no valid signature" in found.problems[0]
        assert found.signed_through == 0


def test_verify_gives_up_on_a_ruined_chain() -> None:
    with fresh() as connection:
        append(connection, 200)
        connection.execute(update(schema.audit).values(hash=bytes(32)))
        assert len(report(connection).problems) < 30


@settings(deadline=None)
@given(st.builds(Audited, actor=st.text(), action=st.text(), object=st.text(), detail=st.text()))
def test_an_entry_is_one_line_whatever_is_in_it(entry: Audited) -> None:
    with fresh() as connection:
        Chain(connection, FEDERATION, None).append(entry, ts=0)
        (found,) = entries(connection)
        line = found.line()
        assert line.isprintable()
        assert line.startswith("     1  1970-01-01 00:00:00Z")
        assert verify(connection, federation=FEDERATION).problems == ()


def test_long_texts_are_cut() -> None:
    with fresh() as connection:
        entry = Audited(actor="a", action="b", object="c", detail="x" * 10**5)
        Chain(connection, FEDERATION, None).append(entry, ts=0)
        (found,) = entries(connection)
        assert len(found.detail) == 1000


def test_entries_go_on_after_a_number() -> None:
    with fresh() as connection:
        append(connection, 5)
        assert [entry.seq for entry in entries(connection, after=3)] == [4, 5]


def test_a_clock_years_off_still_prints() -> None:
    for ts in (-(10**15), 0, 2**55):
        assert Entry(1, ts, "a", "b", "", "").line()
