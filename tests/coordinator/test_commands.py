from pathlib import Path

import pytest
from a_coordinator import ThinNode, make, serving, thin_nodes, until

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
from coordinator.files import StoreConflict
from coordinator.refusals import BadRequestError
from fedtui.crypto.keys import Identity, fingerprint
from fedtui.errors import FingerprintError


async def test_each_command_answers_with_its_struct(tmp_path: Path) -> None:
    async with serving(make(tmp_path / "f")) as service:
        commands = Commands(service)
        assert isinstance(await commands.answer(AskStatus()), Status)
        assert isinstance(await commands.answer(AskInvite()), MadeInvite)
        for ask in (AskPause(), AskResume()):
            assert isinstance(await commands.answer(ask), Done)
        await until(lambda: service.status().paused is False)
        with pytest.raises(BadRequestError):
            await commands.answer(AskFollow())
        assert isinstance(await commands.answer(AskStop()), Done)
        assert service._stopping.is_set()


async def test_end_ends_the_federation_and_not_the_program(tmp_path: Path) -> None:
    async with serving(make(tmp_path / "f")) as service:
        await Commands(service).answer(AskStop(end=True))
        await until(lambda: service.status().ended is not None)
        assert not service._stopping.is_set()


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
