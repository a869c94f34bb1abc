from pathlib import Path

import pytest
from a_coordinator import ThinNode, invite, make, serving, thin_nodes, until

from coordinator import commands as commands_module
from coordinator.answers import Done, Status
from coordinator.asks import (
    AskApprove,
    AskFollow,
    AskInvite,
    AskInvites,
    AskNext,
    AskPause,
    AskReject,
    AskResume,
    AskRevoke,
    AskRevokeInvite,
    AskStatus,
    AskStop,
)
from coordinator.commands import Commands
from coordinator.files import StoreConflict, StoreUnavailable
from coordinator.refusals import BadRequestError, DiskError
from fedtui.crypto.keys import Identity, fingerprint
from fedtui.errors import CloseCode, FingerprintError
from fedtui.status.coordinator import MadeInvite
from fedtui.wire.invite import Invite


async def test_each_command_answers_with_its_struct(tmp_path: Path) -> None:
    async with serving(make(tmp_path / "f")) as service:
        commands = Commands(service)
        assert isinstance(await commands.answer(AskStatus()), Status)
        assert isinstance(await commands.answer(AskInvite()), MadeInvite)
        for ask in (AskPause(), AskResume()):
            assert isinstance(await commands.answer(ask), Done)
            assert service.status().paused is isinstance(ask, AskPause), "it was done by then"
        with pytest.raises(BadRequestError):
            await commands.answer(AskFollow())
        assert isinstance(await commands.answer(AskStop()), Done)
        assert service._stopping.is_set()


async def test_end_ends_the_federation_and_not_the_program(tmp_path: Path) -> None:
    async with serving(make(tmp_path / "f")) as service:
        commands = Commands(service)
        await commands.answer(AskStop(end=True))
        assert service.status().ended is not None
        assert not service._stopping.is_set()
        for ask in (AskPause(), AskResume(), AskStop(end=True)):
            with pytest.raises(BadRequestError, match="is over: ended by operator"):
                await commands.answer(ask)


async def test_what_cannot_be_written_is_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands_module, "WRITTEN_WITHIN_S", 0.2)
    async with serving(make(tmp_path / "f")) as service:
        commit = service.store.commit

        async def full(_records: object) -> None:
            raise StoreUnavailable("the disk is full")

        monkeypatch.setattr(service.store, "commit", full)
        with pytest.raises(DiskError, match="the disk is full"):
            await Commands(service).answer(AskPause())
        monkeypatch.setattr(service.store, "commit", commit)
        await until(lambda: service.status().paused)


async def test_only_a_whole_known_fingerprint_names_a_node(tmp_path: Path) -> None:
    node = ThinNode(1)
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, node):
        await until(lambda: node.enrolled)
        commands = Commands(service)
        name = fingerprint(node.identity.id)
        with pytest.raises(FingerprintError):
            await commands.answer(AskRevoke(fingerprint=name[:9]))
        stranger = fingerprint(Identity.from_seed(b"s" * 32).id)
        with pytest.raises(BadRequestError, match="no node with this fingerprint"):
            await commands.answer(AskApprove(fingerprint=stranger))
        await commands.answer(AskRevoke(fingerprint=name.lower().replace("-", " ")))
        with pytest.raises(StoreConflict, match="needs a new identity"):
            await commands.answer(AskApprove(fingerprint=name))


async def test_a_node_that_waits_is_rejected_and_only_such_a_node(tmp_path: Path) -> None:
    pending, enrolled = ThinNode(1), ThinNode(2)
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, enrolled):
        await pending.start(service, await invite(service, auto=False))
        await until(lambda: enrolled.enrolled and service.status().pending == 1)
        commands = Commands(service)
        line = await commands.answer(AskReject(fingerprint=fingerprint(pending.identity.id)))
        assert line.state == "expelled"
        await until(lambda: bool(pending.drops))
        assert pending.drops[0].code == CloseCode.REVOKED
        assert pending.drops[0].text == "the coordinator's operator rejected this node"
        with pytest.raises(StoreConflict, match="only a node that waits can be rejected"):
            await commands.answer(AskReject(fingerprint=fingerprint(enrolled.identity.id)))
        await pending.stop()


async def test_an_invite_that_was_taken_back_lets_nobody_in(tmp_path: Path) -> None:
    node = ThinNode(1)
    async with serving(make(tmp_path / "f")) as service:
        commands = Commands(service)
        first, second = [await commands.answer(AskInvite(label="ward")) for _ in range(2)]
        before = service.store.invites_changed
        await commands.answer(AskRevokeInvite(id=first.id))
        assert service.store.invites_changed > before
        lines = await commands.answer(AskInvites())
        assert [(line.id, line.state, line.label) for line in lines] == [
            (second.id, "open", "ward"),
            (first.id, "revoked", "ward"),
        ]
        await node.start(service, Invite.parse(first.invite))
        await until(lambda: bool(node.drops))
        assert node.drops[0].code == CloseCode.UNAUTHORISED
        await node.stop()
        with pytest.raises(StoreConflict, match="there is no invite 0000000000000000"):
            await commands.answer(AskRevokeInvite(id="0" * 16))


async def test_a_round_now_needs_the_minimum_and_nothing_else(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    layout.plan.write_text(layout.plan.read_text().replace("[rounds]", "[rounds]\nstart_with = 5"))
    nodes = [ThinNode(1, trains_s=3600), ThinNode(2, trains_s=3600)]
    async with serving(layout) as service:
        commands = Commands(service)
        with pytest.raises(BadRequestError, match="no round can begin now: waiting for nodes"):
            await commands.answer(AskNext())
        async with thin_nodes(service, *nodes):
            await until(lambda: len(service.federation.available) == 2)
            assert service.status().state == "waiting"
            assert (await commands.answer(AskNext())).text.endswith("with the 2 nodes here")
            assert service.status().cohort == 2
            with pytest.raises(BadRequestError, match="no round can begin now: round 1"):
                await commands.answer(AskNext())


async def test_what_the_operator_decides_is_heard_by_followers(tmp_path: Path) -> None:
    node = ThinNode(1)
    async with serving(make(tmp_path / "f")) as service, thin_nodes(service, node):
        await until(lambda: node.enrolled)
        queue = service.chronicle.followers.join()
        commands = Commands(service)
        made = await commands.answer(AskInvite())
        await commands.answer(AskRevokeInvite(id=made.id))
        await commands.answer(AskRevoke(fingerprint=fingerprint(node.identity.id)))
        heard = [queue.get_nowait() for _ in range(3)]
        assert [line["event"] for line in heard] == ["invite made", "invite revoked", "revoked"]
        assert "fedtui1:" not in str(heard)
