"""Nodes without an invite: they may ask only where the operator said so, and never too many."""

import asyncio
from pathlib import Path

import pytest
from a_coordinator import ThinNode, invite, make, until

from coordinator import keeping
from coordinator import newcomers as newcomers_module
from coordinator.layout import Layout
from coordinator.newcomers import Newcomers
from coordinator.opening import load_identity, open_coordinator, read_settings
from coordinator.roster import Member, Roster
from coordinator.server import Rejected
from coordinator.service import CoordinatorService
from fedtui.crypto.keys import fingerprint
from fedtui.errors import CloseCode


def waiting(number: int, *, invited: bool = False, state: str = "pending") -> Member:
    return Member(
        node_id=bytes([number]) * 32,
        x25519=b"x" * 32,
        ed25519=b"e" * 32,
        label="",
        role="participant",
        state=state,  # type: ignore[arg-type]
        address="10.0.0.1",
        invite=b"i" * 8 if invited else None,
        created=0.0,
        approved_by=None,
        revoked_at=None,
        last_seen=None,
    )


def newcomers(*members: Member, may_ask: bool = True, per_minute: float = 6.0) -> Newcomers:
    return Newcomers(Roster(members), may_ask=may_ask, max_pending=2, per_minute=per_minute)


def verdict(house: Newcomers, address: str = "10.0.0.1", *, now: float = 0.0) -> Rejected | None:
    try:
        house.check(address, now=now)
    except Rejected as rejected:
        return rejected
    return None


def test_E1_unless_the_operator_said_so_nobody_may_ask_without_an_invite() -> None:
    said = verdict(newcomers(may_ask=False))
    assert said is not None
    assert (said.code, said.retryable) == (CloseCode.UNAUTHORISED, False)
    assert "new invite" in said.text
    assert verdict(newcomers()) is None


def test_one_address_asks_so_often_and_no_more() -> None:
    house = newcomers(per_minute=6.0)
    assert [verdict(house) for _ in range(6)] == [None] * 6
    said = verdict(house)
    assert said is not None
    assert (said.code, said.retryable) == (CloseCode.OVERLOADED, True)
    assert said.retry_after_s == pytest.approx(10.0)
    assert verdict(house, "10.0.0.2") is None
    assert verdict(house, now=10.0) is None


def test_so_many_wait_and_those_with_an_invite_do_not_count() -> None:
    others = (waiting(1, invited=True), waiting(2, state="enrolled"), waiting(3, state="expelled"))
    assert verdict(newcomers(*others, waiting(4))) is None
    full = newcomers(*others, waiting(4), waiting(5))
    said = verdict(full)
    assert said is not None
    assert (said.code, said.retryable) == (CloseCode.OVERLOADED, True)
    assert "invite" in said.text
    assert full.num_waiting == 2


def with_config(layout: Layout, **settings: str) -> Layout:
    text = layout.config.read_text()
    lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
    layout.config.write_text(text.replace("[enrolment]\n", f"[enrolment]\n{lines}"))
    return layout


def service_of(layout: Layout, *, announce: bool) -> CoordinatorService:
    opened = open_coordinator(read_settings(layout), load_identity(layout))
    return CoordinatorService(opened, announce=announce)


@pytest.mark.parametrize(
    ("said", "announce", "may_ask"),
    [
        ("announced", False, False),
        ("announced", True, True),
        ("never", True, False),
        ("always", False, True),
    ],
)
async def test_the_operator_decides_who_may_ask(
    tmp_path: Path, said: str, announce: bool, may_ask: bool
) -> None:
    layout = with_config(make(tmp_path / "f"), without_invite=f'"{said}"')
    service = service_of(layout, announce=announce)
    service.store.close()
    assert service.may_ask is may_ask


async def test_E1_who_asks_without_an_invite_waits_is_audited_and_never_lets_itself_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newcomers_module, "RETRY_AFTER_S", 0.01)
    limits = {"max_pending": "1", "newcomers_per_minute": "1e6"}
    layout = with_config(make(tmp_path / "f"), without_invite='"always"', **limits)
    service = service_of(layout, announce=False)
    running = asyncio.create_task(service.run())
    first, second, invited = ThinNode(1), ThinNode(2), ThinNode(3)
    try:
        await until(lambda: service.ports.nodes > 0)
        await first.start(service)
        await until(lambda: service.gatekeeper.num_pending == 1)
        await second.start(service)
        await until(lambda: bool(second.drops))
        assert second.drops[0].code == CloseCode.OVERLOADED
        await invited.start(service, await invite(service, auto=False))
        await until(lambda: service.gatekeeper.num_pending == 2)
        assert [node.enrolled for node in (first, invited)] == [False, False]
        assert second.identity.id not in service.store.roster.members
        await service.store.approve(first.identity.id, by="operator")
        service.gatekeeper.approved(first.identity.id)
        await until(lambda: first.enrolled)
        await until(lambda: second.identity.id in service.store.roster.members)
    finally:
        for node in (first, second, invited):
            await node.stop()
        service.stop()
        await running
        service.store.close()
    entries = [e for e in keeping.entries(layout, after=0) if e.action == "node asks to join"]
    assert [e.detail for e in entries] == [
        "participant, without an invite",
        "participant",
        "participant, without an invite",
    ]
    assert fingerprint(first.identity.id)[:4] in entries[0].object
