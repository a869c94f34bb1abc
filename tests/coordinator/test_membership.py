import asyncio
from collections.abc import AsyncIterator
from hashlib import blake2b
from pathlib import Path

import pytest

from coordinator import audit, database, membership
from coordinator.store import (
    Enrolment,
    EnrolResult,
    InviteScope,
    Store,
    StoreConflict,
)
from fedtui.crypto.keys import Identity, PublicIdentity, short_id

INVITE, SECRET, NOW = b"invite01", b"0123456789abcdef", 1_700_000_000.0
CLOCK = int(NOW * 1e6)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(tmp_path, clock=lambda: CLOCK)
    yield opened
    opened.close()


def identity(number: int) -> PublicIdentity:
    return Identity.from_seed(number.to_bytes(32, "big")).public


def hashed(secret: bytes) -> bytes:
    return blake2b(secret, digest_size=32).digest()


def asks(number: int, *, secret: bytes | None = SECRET, role: str = "participant") -> Enrolment:
    return Enrolment(
        identity=identity(number),
        label=f"node {number}",
        role=role,  # type: ignore[arg-type]
        address="10.0.0.1",
        invite_id=INVITE if secret is not None else None,
        secret_hash=hashed(secret) if secret is not None else None,
    )


async def invite(
    store: Store, *, uses: int = 1, auto: bool = True, role: str = "participant"
) -> None:
    await store.add_invite(
        INVITE,
        hashed(SECRET),
        scope=InviteScope(role=role, auto_approve=auto, label="hinted"),  # type: ignore[arg-type]
        expires_at=NOW + 60,
        uses=uses,
        created_by="operator",
    )


def audited(directory: Path) -> list[str]:
    with database.reading(directory) as connection:
        return [entry.line() for entry in audit.entries(connection)]


REFUSED = EnrolResult(state="refused", role="participant")


async def test_E1_of_fifty_racing_nodes_exactly_one_spends_the_invite(store: Store) -> None:
    await invite(store)
    results = await asyncio.gather(*(store.enrol(asks(n), now=NOW) for n in range(50)))
    states = [result.state for result in results]
    assert (states.count("enrolled"), states.count("refused")) == (1, 49)
    assert [result for result in results if result.state == "refused"] == [REFUSED] * 49
    assert len(await store.nodes()) == len(store.roster.enrolled()) == 1
    (spent,) = await store.invites()
    assert spent.uses_left == 0


async def test_E1_an_invite_for_three_admits_three(store: Store) -> None:
    await invite(store, uses=3)
    results = await asyncio.gather(*(store.enrol(asks(n), now=NOW) for n in range(10)))
    assert [result.state for result in results].count("enrolled") == 3


async def test_E1_expired_reused_unknown_and_wrong_look_the_same(
    store: Store, tmp_path: Path
) -> None:
    unknown = await store.enrol(asks(1), now=NOW)
    await invite(store)
    wrong = await store.enrol(asks(1, secret=b"x" * 16), now=NOW)
    expired = await store.enrol(asks(1), now=NOW + 60)
    assert (await store.enrol(asks(2), now=NOW + 59.9)).state == "enrolled"
    reused = await store.enrol(asks(1), now=NOW)
    assert [unknown, wrong, expired, reused] == [REFUSED] * 4
    assert await store.node(identity(1).id) is None
    told = " ".join(audited(tmp_path))
    for reason in ("unknown invite", "wrong secret", "expired invite", "used invite"):
        assert reason in told


async def test_E1_a_thousand_wrong_secrets_spend_nothing(store: Store) -> None:
    await invite(store)
    guesses = (store.enrol(asks(1, secret=n.to_bytes(16, "big")), now=NOW) for n in range(1000))
    assert set(await asyncio.gather(*guesses)) == {REFUSED}
    assert (await store.enrol(asks(1), now=NOW)).state == "enrolled"


async def test_E1_a_repeat_after_a_lost_answer_costs_no_second_use(store: Store) -> None:
    await invite(store, uses=2)
    for _ in range(3):
        assert (await store.enrol(asks(1), now=NOW)).state == "enrolled"
    (left,) = await store.invites()
    assert left.uses_left == 1


async def test_without_an_invite_a_node_waits_for_the_operator(store: Store) -> None:
    for _ in range(2):
        assert (await store.enrol(asks(1, secret=None), now=NOW)).state == "pending"
    node_id = identity(1).id
    assert not store.roster.allows(node_id, "Fetch.model", "ROUND")
    member = await store.approve(node_id, by="operator")
    assert (member.state, member.approved_by) == ("enrolled", "operator")
    assert store.roster.allows(node_id, "Fetch.model", "ROUND")
    assert await store.approve(node_id, by="somebody else") == member
    assert (await store.enrol(asks(1, secret=None), now=NOW)).state == "enrolled"


async def test_an_invite_without_approval_is_spent_and_the_node_waits(store: Store) -> None:
    await invite(store, auto=False)
    assert (await store.enrol(asks(1), now=NOW)).state == "pending"
    assert (await store.enrol(asks(2), now=NOW)).state == "refused"
    assert (await store.enrol(asks(1), now=NOW)).state == "pending"


async def test_the_role_and_label_of_the_invite_count(store: Store) -> None:
    await invite(store, role="evaluator")
    result = await store.enrol(asks(1), now=NOW)
    assert result == EnrolResult(state="enrolled", role="evaluator")
    assert store.roster.enrolled("evaluator") == {identity(1).id}
    assert store.roster.enrolled("participant") == frozenset()


async def test_a_waiting_node_comes_in_with_a_later_invite(store: Store) -> None:
    assert (await store.enrol(asks(1, secret=None), now=NOW)).state == "pending"
    await invite(store)
    assert (await store.enrol(asks(1), now=NOW)).state == "enrolled"
    assert (await store.enrol(asks(2), now=NOW)).state == "refused"


async def test_the_allowlist_approves_before_and_after(store: Store) -> None:
    assert (await store.enrol(asks(1, secret=None), now=NOW)).state == "pending"
    await store.allow([identity(1).id, identity(2).id], by="operator")
    assert store.roster.enrolled() == {identity(1).id}
    assert (await store.enrol(asks(2, secret=None), now=NOW)).state == "enrolled"
    await store.revoke(identity(2).id, by="operator")
    await store.allow([identity(2).id], by="operator")
    assert (await store.enrol(asks(2, secret=None), now=NOW)).state == "expelled"


async def test_E2_revoked_is_at_once_and_for_ever(store: Store, tmp_path: Path) -> None:
    await invite(store, uses=5)
    await store.enrol(asks(1), now=NOW)
    node_id = identity(1).id
    revoking = asyncio.create_task(store.revoke(node_id, by="operator"))
    member = await revoking
    assert (member.state, member.revoked_at) == ("expelled", NOW)
    assert store.roster.enrolled() == frozenset()
    assert not any(store.roster.allows(node_id, kind, "ROUND") for kind in ("Echo", "Open.update"))
    assert (await store.enrol(asks(1), now=NOW)).state == "expelled"
    assert (await store.enrol(asks(1, secret=None), now=NOW)).state == "expelled"
    with pytest.raises(StoreConflict, match="cannot return"):
        await store.approve(node_id, by="operator")
    assert await store.revoke(node_id, by="operator") == member
    (left,) = await store.invites()
    assert left.uses_left == 4
    store.close()
    again = Store.open(tmp_path)
    assert again.roster.get(node_id) == member
    again.close()


async def test_E2_a_revoked_pending_node_is_out_too(store: Store) -> None:
    await store.enrol(asks(1, secret=None), now=NOW)
    await store.revoke(identity(1).id, by="operator")
    assert (await store.enrol(asks(1, secret=None), now=NOW)).state == "expelled"


async def test_E2_a_cancelled_revocation_still_shows_in_the_roster(store: Store) -> None:
    await invite(store)
    await store.enrol(asks(1), now=NOW)
    revoking = asyncio.create_task(store.revoke(identity(1).id, by="operator"))
    await asyncio.sleep(0)
    revoking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await revoking
    member = await store.node(identity(1).id)  # queued after it: the writer is through
    assert member == store.roster.get(identity(1).id)


async def test_who_leaves_cannot_return_under_that_id(store: Store) -> None:
    await invite(store, uses=2)
    await store.enrol(asks(1), now=NOW)
    assert (await store.leave(identity(1).id)).state == "left"
    assert store.roster.enrolled() == frozenset()
    assert (await store.enrol(asks(1), now=NOW)).state == "expelled"
    assert (await store.revoke(identity(1).id, by="operator")).state == "expelled"


async def test_a_rotated_key_takes_the_place_of_the_old_one(store: Store) -> None:
    await invite(store, role="evaluator")
    await store.enrol(asks(1), now=NOW)
    member = await store.rotate(identity(1).id, identity(2), statement=b"signed by both")
    assert (member.node_id, member.role, member.label) == (identity(2).id, "evaluator", "node 1")
    assert store.roster.enrolled() == {identity(2).id}
    assert (await store.enrol(asks(1), now=NOW)).state == "expelled"
    with pytest.raises(StoreConflict, match="rotated"):
        await store.rotate(identity(1).id, identity(3), statement=b"again")
    with pytest.raises(StoreConflict, match="exists already"):
        await store.rotate(identity(2).id, identity(1), statement=b"back")
    with pytest.raises(StoreConflict, match="there is no node"):
        await store.rotate(identity(9).id, identity(8), statement=b"")


async def test_strangers_cannot_fill_the_disk(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "MAX_PENDING", 3)
    results = [await store.enrol(asks(n, secret=None), now=NOW) for n in range(5)]
    assert [r.state for r in results] == ["pending"] * 3 + ["refused"] * 2
    await invite(store)
    assert (await store.enrol(asks(7), now=NOW)).state == "enrolled"


async def test_touch_remembers_when_and_where(store: Store) -> None:
    await invite(store)
    await store.enrol(asks(1), now=NOW)
    await store.touch(identity(1).id, now=NOW + 5, address="10.0.0.9")
    await store.touch(identity(2).id, now=NOW)
    member = await store.node(identity(1).id)
    assert member is not None
    assert (member.last_seen, member.address) == (NOW + 5, "10.0.0.9")
    await store.touch(identity(1).id, now=NOW + 6)
    member = await store.node(identity(1).id)
    assert member is not None
    assert (member.last_seen, member.address) == (NOW + 6, "10.0.0.9")


async def test_unknown_nodes_are_told_apart_from_faults(store: Store) -> None:
    for call in (store.approve, store.revoke):
        with pytest.raises(StoreConflict, match="fedtui-coordinator nodes"):
            await call(identity(1).id, by="operator")


async def test_an_invite_id_is_used_once(store: Store) -> None:
    await invite(store)
    with pytest.raises(StoreConflict):
        await invite(store)


async def test_the_audit_tells_who_did_what(store: Store, tmp_path: Path) -> None:
    await invite(store, auto=False)
    await store.enrol(asks(1), now=NOW)
    await store.approve(identity(1).id, by="alice")
    await store.rotate(identity(1).id, identity(2), statement=b"s")
    await store.revoke(identity(2).id, by="bob")
    one, two = short_id(identity(1).id), short_id(identity(2).id)
    assert [line.split("Z  ")[1] for line in audited(tmp_path)] == [
        "coordinator: start incarnation 1",
        f"operator: invite made invite {INVITE.hex()} (participant, 1 uses)",
        f"coordinator: invite spent invite {INVITE.hex()} (node {one})",
        f"coordinator: node asks to join node {one} (participant)",
        f"alice: node approved node {one} (participant)",
        f"coordinator: key rotated node {one} (to node {two})",
        f"bob: node revoked node {two}",
    ]
