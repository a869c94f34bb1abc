"""A node's controls beyond the contract: without a federation, and around restarts."""

import os

import msgspec
import pytest
from fake_coordinator import COORDINATOR, FakeCoordinator, make_node, member, settle, write_config

from fedtui.crypto.keys import Identity
from fedtui.status import Refused
from fedtui.wire.invite import Invite
from node import config as configs
from node.paths import Profile


def invite(identity: Identity = COORDINATOR) -> str:
    return Invite(
        coordinator_id=identity.id,
        invite_id=b"i" * 8,
        secret=b"s" * 16,
        expires=2**31,
        addresses=("c.example:8443",),
    ).encode()


async def test_without_a_federation_there_is_nothing_to_command(home: Profile) -> None:
    node = make_node(home, FakeCoordinator())
    await node.start()
    assert (await node.status()).state == "idle"
    for command in (node.pause, node.resume, node.leave, node.check, node.join):
        with pytest.raises(Refused):
            await command()
    await node.close()


async def test_the_invite_is_shown_to_its_own_coordinator_until_it_is_taken(home: Profile) -> None:
    coordinator = FakeCoordinator()
    write_config(home)
    node = make_node(home, coordinator)
    await node.join(invite())
    assert coordinator.hellos[0].invite is not None
    assert coordinator.hellos[0].invite.secret == b"s" * 16
    await settle()
    assert coordinator.hellos[-1].invite is None
    with pytest.raises(Refused):
        await node.join(invite(Identity.from_seed(b"x" * 32)))
    await node.close()


async def test_joining_again_takes_over_an_edited_file(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    config = configs.load(home.config)
    configs.save(home.config, msgspec.structs.replace(config, label="birch"))
    await node.join()
    await settle()
    seen = await node.status()
    assert seen.label == "birch"
    assert seen.state == "waiting"
    assert coordinator.hellos[-1].label == "birch"
    await node.close()


async def test_a_torn_ledger_is_said(home: Profile) -> None:
    home.ledger.write_bytes(b'{"at":1,"what":"a"}\n{"at":2,"wh')
    node = make_node(home, FakeCoordinator())
    await node.start()
    (line,) = await node.log()
    assert "torn" in line.text
    assert [entry.what for entry in await node.ledger()] == ["a"]
    assert (await node.status()).ledger[0].what == "a"
    await node.close()


async def test_a_coordinator_whose_key_was_rotated_is_followed(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    await node.close()
    new = Identity.from_seed(os.urandom(32))
    node = make_node(home, coordinator)
    node._home.trust.replace(COORDINATOR.id, new.public)
    pinned = node._pinned(configs.load(home.config))
    assert pinned.coordinator.id == new.id.hex()
    await node.close()


async def test_traffic_is_measured_when_somebody_asks(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    seen = await node.status()
    assert seen.traffic.up_today == coordinator.opened[0].num_bytes
    await node.close()
