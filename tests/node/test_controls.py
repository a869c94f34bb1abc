"""A node's controls beyond the contract: without a federation, and around restarts."""

import asyncio
import os

import msgspec
import pytest
from a_greeter import Greeter, greeting
from a_plan import COORDINATOR, NODE, UPDATE
from fake_federation import FakeCoordinator, make_node, member, settle, write_config
from fake_trainer import FakeTrainer

from fedtui.crypto.keys import Identity
from fedtui.errors import CloseCode, InviteError
from fedtui.rounds.plan import SelectionSection
from fedtui.status import Refused, Setup
from fedtui.wire.codec import decode
from fedtui.wire.invite import Invite
from fedtui.wire.messages import Rotated, RotateKey
from fedtui.wire.rotation import Rotation, verify
from node import config as configs
from node import controls, keystore, lookout, probing
from node.own_key import OwnKey
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


async def test_nobody_is_dialled_before_the_invite_is_at_hand(home: Profile) -> None:
    """`join` starts the daemon and then brings the invite: without it the node is a stranger."""
    coordinator = FakeCoordinator()
    write_config(home)
    node = make_node(home, coordinator)
    await node.start()
    await settle()
    assert coordinator.hellos == []
    seen = await node.status()
    assert (seen.state, seen.problem) == ("idle", None)
    assert "fedtui join" in seen.sentence
    await node.join(invite())
    await settle()
    assert coordinator.hellos[0].invite is not None
    await node.close()
    again = FakeCoordinator()
    node = make_node(home, again)
    await node.start()
    await settle()
    assert [hello.invite for hello in again.hellos] == [None, None], "it is pinned: it dials"
    await node.close()


async def test_a_profile_that_never_met_its_coordinator_can_be_left(home: Profile) -> None:
    write_config(home)
    node = make_node(home, FakeCoordinator())
    await node.start()
    await node.leave()
    assert configs.load(home.config).coordinator.id == ""
    assert node.stopped.is_set()
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


async def test_joining_again_declares_what_the_edited_file_says(home: Profile) -> None:
    coordinator = FakeCoordinator()
    by_site = SelectionSection(name="stratified", minimum=2, options={"by": "site"})
    coordinator.plan = msgspec.structs.replace(coordinator.plan, selection=by_site)
    config = write_config(home, declare={"site": "north"})
    node = await member(home, coordinator)
    assert coordinator.declared == {"site": "north"}
    configs.save(home.config, msgspec.structs.replace(config, declare={"site": "south"}))
    coordinator.drop()
    coordinator.connect()
    await settle()
    assert coordinator.declared == {"site": "north"}, "a mere file was taken up"
    await node.join()
    await settle()
    assert coordinator.declared == {"site": "south"}
    await node.close()


async def test_what_a_session_still_says_while_it_ends_starts_nothing(home: Profile) -> None:
    coordinator = FakeCoordinator()
    trainer = FakeTrainer(hold=asyncio.Event())
    node = await member(home, coordinator, trainer=trainer)
    coordinator.offer(1)
    await settle()
    assert not trainer.idle.is_set()
    ending = coordinator.handler

    def offer_once_more() -> None:
        trainer.on_cancel, trainer.hold = lambda: None, asyncio.Event()
        coordinator.offer(2)
        assert coordinator.handler is ending, "the next session has not begun"

    trainer.on_cancel = offer_once_more
    await node.join()
    await settle()
    assert trainer.idle.is_set()
    trainer.hold = None
    coordinator.offer(2)
    await settle()
    assert [opening.round for opening in coordinator.opened] == [2]
    assert [(line.round, line.num_bytes) for line in await node.ledger()] == [(2, len(UPDATE))]
    assert (await node.status()).state == "waiting"
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
    coordinator.certified_by = coordinator.identity = new
    for one in (COORDINATOR, new):
        await node.join(invite(one))
    await node.close()


async def test_traffic_is_measured_when_somebody_asks(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    seen = await node.status()
    assert seen.traffic.up_today == coordinator.opened[0].num_bytes
    await node.close()


def rotations(coordinator: FakeCoordinator) -> list[Rotation]:
    said = [message for message in coordinator.said if isinstance(message, RotateKey)]
    return [decode(message.statement, Rotation) for message in said]


async def answered(coordinator: FakeCoordinator) -> None:
    """Let the coordinator take the new key, confirm, and say goodbye."""
    while True:
        if rotations(coordinator):
            break
        await asyncio.sleep(0.001)
    new = verify(rotations(coordinator)[-1], coordinator.node, last_seq=0)
    coordinator.node = new
    coordinator.tell(Rotated(new_id=new.id))
    coordinator.drop()


async def test_rotating_the_key_brings_the_node_back_as_a_new_identity(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    rotating = asyncio.create_task(node.rotate_key())
    await answered(coordinator)
    await rotating
    await settle()
    seen = await node.status()
    assert seen.node_id == coordinator.node.id.hex() != NODE.id.hex()
    assert seen.state == "waiting", "enrolled again: the certificate is for the new id"
    assert keystore.load(home.root).id == coordinator.node.id
    assert any("rotated" in line.text for line in seen.log)
    await node.close()


async def test_a_rotation_in_mid_round_drops_the_round(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.receipts = False
    coordinator.offer()
    await settle()
    assert (await node.status()).state == "uploading"
    rotating = asyncio.create_task(node.rotate_key())
    await answered(coordinator)
    await rotating
    await settle()
    assert (await node.status()).state == "waiting"
    assert list(home.work.iterdir()) == [], "the update of the old identity is gone"
    await node.close()


async def test_only_a_member_rotates(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.drop()
    with pytest.raises(Refused, match="must hear"):
        await node.rotate_key()
    assert not (home.root / "identity.key.next").exists()
    await node.close()


async def test_a_coordinator_that_is_silent_is_told_again_in_the_next_session(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "ROTATE_S", 0.01)
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    with pytest.raises(Refused, match="did not confirm"):
        await node.rotate_key()
    assert (await node.status()).node_id == NODE.id.hex()
    coordinator.drop()
    coordinator.connect()
    await settle()
    first, second = rotations(coordinator)
    assert first == second
    await answered(coordinator)
    await settle()
    assert (await node.status()).node_id == coordinator.node.id.hex()
    await node.close()


async def test_a_node_killed_before_it_heard_takes_up_its_new_key(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    await node.close()
    draft = OwnKey(home.root, NODE)
    draft.draw()
    assert draft.successor is not None
    welcomes = coordinator.connect

    def refuse() -> None:
        coordinator.connect = welcomes
        coordinator.node = draft.successor.public
        coordinator.drop(code=CloseCode.ROTATED, text="handed over", retry=False)

    coordinator.connect = refuse
    node = make_node(home, coordinator)
    await node.start()
    await settle()
    seen = await node.status()
    assert (seen.node_id, seen.state) == (draft.successor.id.hex(), "waiting")
    await node.close()


async def test_4012_without_a_successor_is_an_old_copy_of_the_node(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.drop(code=CloseCode.ROTATED, text="handed over", retry=False)
    seen = await node.status()
    assert seen.state == "stopped"
    assert seen.problem is not None
    assert "old copy" in seen.problem.remedy
    await node.close()


async def test_another_new_id_than_ours_changes_nothing(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.tell(Rotated(new_id=b"x" * 32))
    OwnKey(home.root, NODE).draw()
    coordinator.tell(Rotated(new_id=b"x" * 32))
    assert (await node.status()).node_id == NODE.id.hex()
    await node.close()


async def test_a_coordinator_that_was_probed_and_verified_is_pinned_and_joined(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "words", lambda _: ("one", "two"))
    coordinator = FakeCoordinator()
    node = make_node(home, coordinator)
    await node.start()
    with greeting(Greeter(COORDINATOR)) as greeter:
        seen = await node.probe(greeter.address)
        assert not home.trusted.exists()
        with pytest.raises(Refused, match="no coordinator with that id"):
            await node.join_at("127.0.0.1:1", seen.coordinator_id)
        assert configs.load(home.config).coordinator.id == ""
        await node.join_at(greeter.address, seen.coordinator_id)
        assert greeter.met == []
    table = configs.load(home.config).coordinator
    assert table == configs.CoordinatorTable(id=COORDINATOR.id.hex(), addresses=[greeter.address])
    assert [one.id for one in keystore.TrustStore(home.root).all()] == [COORDINATOR.id]
    assert [hello.invite for hello in coordinator.hellos] == [None]
    await node.close()


async def test_an_idle_node_listens_while_it_is_asked_who_is_there(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "FIRST_S", 0.0)
    node = make_node(home, FakeCoordinator())
    await node.start()
    assert isinstance(await node.discover(), tuple)
    task = node._lookout._task
    assert task is not None
    await node.close()
    assert task.done()


async def test_an_idle_node_takes_up_the_coordinator_of_an_invite(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = make_node(home, coordinator)
    await node.start()
    await node.setup(Setup(data=str(home.root), label="birch", visible=True))
    await node.join(invite())
    await settle()
    config = configs.load(home.config)
    assert config.coordinator.id == COORDINATOR.id.hex()
    assert config.coordinator.addresses == ["c.example:8443"]
    assert (config.label, config.data.path) == ("birch", str(home.root))
    assert coordinator.hellos[0].invite is not None
    assert (await node.status()).state == "asking"
    with pytest.raises(Refused, match="another coordinator"):
        await node.join(invite(Identity.from_seed(b"x" * 32)))
    await node.close()


async def test_a_node_that_never_met_its_coordinator_may_be_invited_by_another(
    home: Profile,
) -> None:
    write_config(
        home, coordinator=configs.CoordinatorTable(id="ab" * 32, addresses=["d.example:1"])
    )
    node = make_node(home, FakeCoordinator())
    await node.start()
    await node.join(invite())
    assert configs.load(home.config).coordinator.id == COORDINATOR.id.hex()
    await node.close()


async def test_an_invite_is_read_without_its_secret(home: Profile) -> None:
    node = make_node(home, FakeCoordinator())
    seen = await node.read_invite(invite())
    assert (seen.coordinator_id, seen.expires) == (COORDINATOR.id.hex(), float(2**31))
    assert seen.addresses == ("c.example:8443",)
    assert "ssss" not in repr(seen)
    assert b"ssss".hex() not in repr(seen)
    for bad in ("", "hello", "fedtui1:AAAA"):
        with pytest.raises(InviteError):
            await node.read_invite(bad)
    assert not home.config.exists(), "nothing was taken up"
    await node.close()


async def test_a_choice_that_cannot_be_leaves_node_toml_alone(home: Profile) -> None:
    node = make_node(home, FakeCoordinator())
    await node.setup(Setup(shard="1/4"))
    with pytest.raises(Refused):
        await node.setup(Setup(shard="9/4", label="x"))
    assert configs.load(home.config).data.shard == "1/4"
    await node.close()
