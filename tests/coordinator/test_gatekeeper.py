"""Admission and dispatch over the real channel: what a node may say, and what happens then."""

import asyncio
from pathlib import Path

import pytest
from a_coordinator import Bytes, D, ThinNode, invite, make, serving, thin_nodes, until
from msgspec.structs import replace

from coordinator import gatekeeper as gatekeeper_module
from coordinator import keeping
from coordinator.audit import Entry
from coordinator.files import StoreUnavailable
from coordinator.layout import Layout
from coordinator.server import Rejected
from coordinator.service import CoordinatorService
from fedtui.crypto.keys import Identity, PublicIdentity, fingerprint, short_id
from fedtui.errors import CloseCode, Retry
from fedtui.rounds.attempt import Peer
from fedtui.rounds.machine import Operator, Said
from fedtui.wire.codec import canonical
from fedtui.wire.enrolment import Certificate, verify
from fedtui.wire.events import StreamRefused
from fedtui.wire.halves import Admission
from fedtui.wire.messages import (
    Accepting,
    Away,
    ClientHello,
    Enrolled,
    Fetch,
    Leaving,
    Offer,
    Open,
    Rotated,
    RotateKey,
    UpdateHeader,
    Welcome,
)
from fedtui.wire.rotation import rotate


async def test_the_certificate_verifies_for_exactly_this_node(tmp_path: Path) -> None:
    node = ThinNode(1)
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, node):
        await until(lambda: node.enrolled)
        enrolled = next(m for m in node.heard if isinstance(m, Enrolled))
        welcome = next(m for m in node.heard if isinstance(m, Welcome))
        certificate = Certificate(
            welcome.federation_id, node.identity.public, "participant", enrolled.not_before
        )
        assert verify(service._identity.public, certificate, enrolled.signature)
        peer = service.federation.present[node.identity.id].peer
        assert peer == Peer(node.identity.public, enrolled.not_before)


async def test_E1_the_role_is_that_of_the_invite(tmp_path: Path) -> None:
    node = ThinNode(1, role="participant")
    async with serving(make(tmp_path / "f")) as service:
        await node.start(service, await invite(service, role="observer"))
        await until(lambda: node.enrolled)
        assert service.federation.present[node.identity.id].role == "observer"
        await node.stop()


async def test_what_a_node_declares_is_known_of_it_as_a_safe_label(tmp_path: Path) -> None:
    node, silent = ThinNode(1, declared={"site": "north\x1b[2J"}), ThinNode(2)
    layout = make(tmp_path / "f", minimum=3)
    async with serving(layout) as service, thin_nodes(service, node, silent):
        await until(lambda: len(service.federation.present.declared) == 2)
        found = service.federation.present.declared
        assert found == {node.identity.id: {"site": "north[2J"}, silent.identity.id: {}}


async def test_what_a_role_may_not_say_is_dropped(tmp_path: Path) -> None:
    evaluator, other = ThinNode(1, role="evaluator"), ThinNode(2)
    layout = make(tmp_path / "f", minimum=1, rounds=10_000)
    async with serving(layout) as service, thin_nodes(service, evaluator, other):
        await until(lambda: any(isinstance(m, Offer) for m in other.heard))
        assert evaluator.link is not None
        said: list[object] = []
        service.gatekeeper._put = said.append
        offer = next(m for m in other.heard if isinstance(m, Offer))
        evaluator.link.send(
            Accepting(incarnation=offer.incarnation, round=offer.round, attempt=offer.attempt)
        )
        evaluator.link.send(Away(away=True))
        await until(lambda: bool(said_by(evaluator, said)))
        assert said_by(evaluator, said) == [Away(away=True)]


def said_by(node: ThinNode, events: list[object]) -> list[object]:
    return [e.message for e in events if isinstance(e, Said) and e.node == node.identity.id]


async def test_only_models_of_now_can_be_fetched(tmp_path: Path) -> None:
    node = ThinNode(1)
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, node):
        await until(lambda: node.enrolled)
        assert node.link is not None
        digest = service.federation.model.digest
        node.link.send(Fetch(kind="model", digest=b"x" * 32))
        node.link.send(Fetch(kind="model", digest=digest))
        node.link.send(Fetch(kind="model", digest=digest))
        await until(lambda: digest in node.models)
        assert set(node.models) == {digest}
        assert len(node.models[digest]) == 4 * D


async def test_leaving_ends_the_enrolment(tmp_path: Path) -> None:
    node = ThinNode(1)
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, node):
        await until(lambda: node.enrolled)
        assert node.link is not None
        node.link.send(Leaving(reason="done"))
        await until(lambda: node.identity.id not in service.federation.present)
        member = service.store.roster.get(node.identity.id)
        assert member is not None
        assert member.state == "left"


async def test_a_key_rotation_moves_the_enrolment(tmp_path: Path) -> None:
    node = ThinNode(1)
    fresh = Identity.from_seed(b"z" * 32)
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, node):
        await until(lambda: node.enrolled)
        assert node.link is not None
        statement = canonical(rotate(node.identity, fresh, seq=1))
        node.link.send(RotateKey(statement=statement))
        await until(lambda: any(isinstance(m, Rotated) for m in node.heard))
        roster = service.store.roster
        states = {key: roster.members[key].state for key in (node.identity.id, fresh.id)}
        assert states == {node.identity.id: "rotated", fresh.id: "enrolled"}
        await until(lambda: len(node.drops) >= 2)
        assert node.drops[0].retry is Retry.SILENTLY, "it may come back, with the new key"
        assert node.drops[1].code == CloseCode.ROTATED, "the old key is refused for good"
        assert node.identity.id not in service.federation.present
        again = ThinNode(1)
        again.identity = fresh
        await again.start(service)
        await until(lambda: again.enrolled)
        assert service.federation.present[fresh.id].role == "participant"
        await again.stop()
    assert "key rotated" in audited(tmp_path / "f")


def audited(root: Path) -> list[str]:
    return [entry.action for entry in keeping.entries(Layout(root), after=0)]


def entries(root: Path, action: str) -> list[Entry]:
    """What the audit chain says of one kind of thing."""
    return [entry for entry in keeping.entries(Layout(root), after=0) if entry.action == action]


async def rotated(service: CoordinatorService, number: int, fresh: Identity, *, seq: int) -> None:
    """Let node `number` rotate its key to `fresh`."""
    node = ThinNode(number)
    await node.start(service, await invite(service))
    await until(lambda: node.enrolled)
    assert node.link is not None
    node.link.send(RotateKey(statement=canonical(rotate(node.identity, fresh, seq=seq))))
    await until(lambda: any(isinstance(m, Rotated) for m in node.heard))
    await node.stop()


@pytest.mark.parametrize("case", ["replayed", "old number", "another node", "no statement"])
async def test_a_rotation_that_does_not_hold_is_refused_and_audited(
    tmp_path: Path, case: str
) -> None:
    first, second, third = (Identity.from_seed(bytes([n]) * 32) for n in (1, 70, 71))
    statement = {
        "replayed": canonical(rotate(first, second, seq=3)),
        "old number": canonical(rotate(second, third, seq=3)),
        "another node": canonical(rotate(Identity.from_seed(b"\x02" * 32), third, seq=9)),
        "no statement": b"\xc1",
    }[case]
    async with serving(make(tmp_path / "f")) as service:
        await rotated(service, 1, second, seq=3)
        node = ThinNode(1)
        node.identity = second
        await node.start(service)
        await until(lambda: node.enrolled)
        assert node.link is not None
        node.link.send(RotateKey(statement=statement))
        await until(lambda: bool(node.drops))
        assert node.drops[0].code == CloseCode.PROTOCOL
        await node.stop()
        assert service.store.roster.members[second.id].state == "enrolled"
        assert third.id not in service.store.roster.members
    assert audited(tmp_path / "f").count("key rotation refused") == 1


async def test_S7_a_superseded_session_is_audited(tmp_path: Path) -> None:
    first, second = ThinNode(1), ThinNode(1)
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, first):
        await until(lambda: first.enrolled)
        await second.start(service)
        await until(lambda: second.enrolled)
        assert first.run is not None
        assert (await asyncio.wait_for(first.run, 20)).code == CloseCode.SUPERSEDED
        await second.stop()
    (entry,) = entries(tmp_path / "f", "session superseded")
    assert entry.object == f"node {short_id(first.identity.id)}"
    assert entry.detail == "by one from 127.0.0.1, this one from 127.0.0.1"


async def test_S7_leaving_in_peace_is_not_audited(tmp_path: Path) -> None:
    node = ThinNode(1)
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, node):
        await until(lambda: node.enrolled)
    assert entries(tmp_path / "f", "session superseded") == []


async def offer_wrongly(node: ThinNode, num: int) -> None:
    """Offer so many updates for a round that is not; wait until all are refused."""
    assert node.link is not None
    before = node.heard[:]
    for _ in range(num):
        stale = Open(
            stream=0,
            kind="update",
            num_bytes=4,
            digest=b"d" * 32,
            incarnation=1,
            round=7,
            attempt=3,
            update=UpdateHeader(num_examples=1, sums={}),
        )
        node.link.open_stream(stale, Bytes(b"1234"))
        num_refused = num_of(StreamRefused, before) + 1
        await until(lambda wanted=num_refused: num_of(StreamRefused, node.heard) >= wanted)
        before = node.heard[:]


def num_of(kind: type, heard: list[object]) -> int:
    return sum(isinstance(one, kind) for one in heard)


async def test_S9_refused_updates_are_audited_once_a_minute_of_each_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [ThinNode(1), ThinNode(2)]
    async with serving(make(tmp_path / "f", minimum=9)) as service, thin_nodes(service, *nodes):
        await until(lambda: all(node.enrolled for node in nodes))
        for node in nodes:
            await offer_wrongly(node, 5)
        monkeypatch.setattr(gatekeeper_module, "AUDIT_EVERY_S", 0.0)  # the minute is over
        await offer_wrongly(nodes[0], 1)
    found = entries(tmp_path / "f", "update refused")
    names = [f"node {short_id(node.identity.id)}" for node in nodes]
    assert [entry.object for entry in found] == [names[0], names[1], names[0]]
    assert {entry.detail for entry in found} == {"round 7 attempt 3 is over"}


async def test_what_the_audit_chain_was_told_is_not_remembered_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(make(tmp_path / "f")) as service:
        gate = service.gatekeeper
        for number in range(5):
            gate._audit(bytes([number]) * 32, "update refused", "")
        assert len(gate._audited) == 5
        monkeypatch.setattr(gatekeeper_module, "AUDIT_EVERY_S", 0.0)
        gate._audit(b"x" * 32, "update refused", "")
        assert list(gate._audited) == [(b"x" * 32, "update refused")]


async def test_the_second_rotation_of_a_node_has_a_higher_number(tmp_path: Path) -> None:
    second, third = (Identity.from_seed(bytes([n]) * 32) for n in (70, 71))
    async with serving(make(tmp_path / "f")) as service:
        await rotated(service, 1, second, seq=3)
        await rotated(service, 70, third, seq=4)
        assert service.store.roster.members[third.id].state == "enrolled"


async def test_whoever_is_let_in_while_it_is_put_out_is_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(make(tmp_path / "f")) as service:
        await rotated(service, 1, Identity.from_seed(b"z" * 32), seq=1)
        node = ThinNode(1)
        member = service.store.roster.members[node.identity.id]

        async def too_early(*_: object) -> Admission:
            return service.gatekeeper._admission(replace(member, state="enrolled"))

        monkeypatch.setattr(service.gatekeeper, "_decide", too_early)
        await node.start(service)
        await until(lambda: bool(node.drops))
        assert node.drops[0].code == CloseCode.ROTATED
        await node.stop()


async def test_a_full_disk_rotates_nothing_and_blames_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, fresh = ThinNode(1), Identity.from_seed(b"z" * 32)
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, node):
        await until(lambda: node.enrolled)
        assert node.link is not None
        statement = RotateKey(statement=canonical(rotate(node.identity, fresh, seq=1)))
        asked = []

        async def full(*_: object, **__: object) -> None:
            asked.append(1)
            raise StoreUnavailable("no space")

        with monkeypatch.context() as patch:
            patch.setattr(service.store, "rotate", full)
            node.link.send(statement)
            await until(lambda: bool(asked))
        assert node.drops == []
        node.link.send(statement)
        await until(lambda: any(isinstance(m, Rotated) for m in node.heard))


async def test_a_forged_rotation_ends_the_session(tmp_path: Path) -> None:
    node = ThinNode(1)
    stranger = Identity.from_seed(b"y" * 32)
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, node):
        await until(lambda: node.enrolled)
        assert node.link is not None
        statement = canonical(rotate(stranger, Identity.from_seed(b"z" * 32), seq=1))
        node.link.send(RotateKey(statement=statement))
        await until(lambda: bool(node.drops))
        assert node.drops[0].code == CloseCode.PROTOCOL
        member = service.store.roster.get(node.identity.id)
        assert member is not None
        assert member.state == "enrolled"


async def test_without_an_invite_a_node_waits_unless_it_is_on_the_allowlist(
    tmp_path: Path,
) -> None:
    layout = make(tmp_path / "f")
    known, unknown = ThinNode(1), ThinNode(2)
    (layout.root / "friends.txt").write_text(f"# friends\n{fingerprint(known.identity.id)}\n")
    text = layout.config.read_text()
    text = text.replace('# without_invite = "announced"', 'without_invite = "always"')
    layout.config.write_text(text.replace('# allowlist = ""', 'allowlist = "friends.txt"'))
    async with serving(layout) as service:
        try:
            for node in (known, unknown):
                await node.start(service)
            await until(lambda: known.enrolled and service.gatekeeper.num_pending == 1)
            assert not unknown.enrolled
        finally:
            await known.stop()
            await unknown.stop()


async def test_nobody_waits_for_approval_for_ever(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    text = layout.config.read_text().replace("# pending_s = 3600.0", "pending_s = 0.05")
    layout.config.write_text(text)
    node = ThinNode(1)
    async with serving(layout) as service:
        await node.start(service, await invite(service, auto=False))
        assert node.run is not None
        assert (await node.run).code == CloseCode.PENDING_TIMEOUT


async def test_L5_a_full_disk_sends_newcomers_away_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(make(tmp_path / "f")) as service:

        async def full(*_: object, **__: object) -> None:
            raise StoreUnavailable("no space")

        monkeypatch.setattr(service.store, "enrol", full)
        hello = ClientHello(
            version_min=1,
            version_max=1,
            ed25519=b"e" * 32,
            label="x",
            role="participant",
            invite={"invite_id": b"i" * 8, "secret": b"s" * 16},  # type: ignore[arg-type]
        )
        monkeypatch.setattr(
            gatekeeper_module, "_enrolment", lambda *_: None
        )  # what would be stored does not matter here
        with pytest.raises(Rejected) as caught:
            await service.gatekeeper.admit(
                Identity.from_seed(b"q" * 32).public, hello, "192.0.2.1"
            )
        assert caught.value.code is CloseCode.OVERLOADED
        assert caught.value.retryable


async def test_bytes_of_sessions_that_are_over_still_count(tmp_path: Path) -> None:
    node = ThinNode(1)
    async with serving(make(tmp_path / "f")) as service:
        async with thin_nodes(service, node):
            await until(lambda: node.enrolled)
        await until(lambda: not service.gatekeeper.visits)
        up, down = service.gatekeeper.traffic()
        assert up > 500
        assert down > 500
        service.driver.put(Operator("pause"))


async def test_changes_in_place_of_models_are_counted_as_saved(tmp_path: Path) -> None:
    nodes = [ThinNode(1, fetches=True), ThinNode(2, fetches=True)]
    layout = make(tmp_path / "f", rounds=3, extra="[traffic]\nmodel_bits = 4\n")
    async with serving(layout) as service, thin_nodes(service, *nodes):
        await until(lambda: service.federation.ended is not None)
        whole, *changes = (len(data) for data in nodes[0].models.values())
        assert len(changes) == 2
        assert max(changes) < whole == 4 * D
        spared = 2 * sum(whole - one for one in changes)
        await until(lambda: service.chronicle.savings.saved.down == spared)
        assert service.board().saved_down == service.status().saved_down == spared
        assert service.status().saved_up == 0


async def test_E2_a_node_that_is_revoked_while_it_is_let_in_is_put_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = ThinNode(1)
    async with serving(make(tmp_path / "f")) as service:
        decide = service.gatekeeper.admit

        async def admit(identity: PublicIdentity, hello: ClientHello, address: str) -> Admission:
            admission = await decide(identity, hello, address)
            await service.store.revoke(identity.id, by="operator")
            service.gatekeeper.revoked(identity.id)
            return admission

        monkeypatch.setattr(service.gatekeeper, "admit", admit)
        await node.start(service, await invite(service))
        assert node.run is not None
        assert (await asyncio.wait_for(node.run, 10)).code == CloseCode.REVOKED
