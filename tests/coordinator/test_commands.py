from pathlib import Path

import pytest
from a_coordinator import ThinNode, make, serving, thin_nodes, until

from coordinator import commands as commands_module
from coordinator.answers import Done, MadeInvite, Status
from coordinator.asks import (
    AskApprove,
    AskFollow,
    AskInvite,
    AskPause,
    AskResume,
    AskRevoke,
    AskStatus,
    AskStop,
)
from coordinator.commands import Commands
from coordinator.files import StoreConflict, StoreUnavailable
from coordinator.refusals import BadRequestError, DiskError
from fedtui.crypto.keys import Identity, fingerprint
from fedtui.errors import FingerprintError


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
