"""Orders that lead away and back: stop sharing, leave, withdraw, retry; all of it durable."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from a_plan import COORDINATOR
from fake_federation import FakeCoordinator, enter, make_node, member, settle
from fake_trainer import FakeTrainer
from steered import HOUR_S, clock, full, state

from fedtui.status import Limits, Refused
from fedtui.wire.messages import Leaving, Waiting
from node import config as configs
from node import orders
from node.controls import Node
from node.keystore import TrustStore
from node.paths import Profile

# ---- stop sharing -----------------------------------------------------------------------------


async def test_stop_sharing_discards_what_was_not_sent_and_stays_away(home: Profile) -> None:
    coordinator, trainer = FakeCoordinator(), FakeTrainer()
    coordinator.receipts = False
    node = await member(home, coordinator, trainer=trainer)
    coordinator.offer()
    await settle()
    assert await state(node) == "uploading"
    assert list(home.work.iterdir())
    said = len(coordinator.said)
    await node.stop_sharing()
    assert (coordinator.num_cut, trainer.killed) == (1, True)
    assert coordinator.said[said:] == [], "nothing is said any more"
    assert list(home.work.iterdir()) == []
    assert await state(node) == "paused"
    await node.close()
    again = FakeCoordinator()
    node = make_node(home, again)
    await node.start()
    await settle()
    assert again.hellos == [], "also after a restart nothing is connected"
    assert "fedtui resume" in (await node.status()).sentence
    await node.resume()
    await settle()
    assert await state(node) == "waiting"
    assert orders.load(home) == orders.Orders()
    await node.close()


async def test_stop_sharing_stops_although_the_disk_is_full(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator, trainer = FakeCoordinator(), FakeTrainer(hold=asyncio.Event())
    node = await member(home, coordinator, trainer=trainer)
    coordinator.offer()
    await settle()
    monkeypatch.setattr(orders, "save", full)
    with pytest.raises(OSError, match="space"):
        await node.stop_sharing()
    assert (coordinator.num_cut, trainer.killed) == (1, True)
    assert await state(node) == "paused"
    await node.close()


async def test_a_join_that_is_under_way_does_not_undo_stop_sharing(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    sessions = len(coordinator.hellos)
    joining = asyncio.create_task(node.join())
    await asyncio.sleep(0)
    await node.stop_sharing()
    with pytest.raises(Refused, match="meanwhile"):
        await joining
    await settle()
    assert len(coordinator.hellos) == sessions
    assert await state(node) == "paused"
    await node.close()


async def test_what_was_cut_off_can_be_left(home: Profile) -> None:
    node = await member(home, FakeCoordinator())
    await node.stop_sharing()
    await node.leave()
    assert configs.load(home.config).coordinator.id == ""
    assert not home.consent.exists()
    assert orders.load(home) == orders.Orders()
    await node.close()


# ---- leaving ----------------------------------------------------------------------------------


async def test_leaving_waits_until_the_update_counts(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer(1)
    await settle()
    await node.leave(after_round=True)
    assert (await node.status()).leaving
    assert not node.stopped.is_set()
    coordinator.result(1)
    await asyncio.wait_for(node.stopped.wait(), 10)
    seen = await node.status()
    assert seen.rounds_counted == 1
    assert not seen.leaving
    assert isinstance(coordinator.said[-1], Leaving)
    assert configs.load(home.config).coordinator.id == ""
    await node.close()


async def test_leaving_after_a_round_outlives_the_daemon(home: Profile) -> None:
    coordinator = FakeCoordinator()
    coordinator.receipts = False
    node = await member(home, coordinator)
    coordinator.offer(3)
    await settle()
    await node.leave(after_round=True, forget=True)
    await node.close()
    coordinator.receipts = True
    node = make_node(home, coordinator)
    await enter(home, node)
    assert (await node.status()).leaving
    coordinator.offer(3)
    await settle()
    assert coordinator.opened[-1].round == 3, "the round is still served"
    assert not node.stopped.is_set()
    coordinator.result(3)
    await asyncio.wait_for(node.stopped.wait(), 10)
    assert TrustStore(home.root).get(COORDINATOR.id) is None
    await node.close()


async def test_between_rounds_leaving_is_now(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer(1)
    await settle()
    coordinator.result(1)
    await settle()
    await node.leave(after_round=True)
    assert node.stopped.is_set()
    assert TrustStore(home.root).get(COORDINATOR.id) is not None, "the key stays pinned"
    await node.close()


async def test_a_round_that_comes_to_nothing_holds_nobody(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer(1)
    await settle()
    await node.leave(after_round=True)
    coordinator.tell(Waiting(incarnation=1, present=1, needed=2))
    await asyncio.wait_for(node.stopped.wait(), 10)
    await node.close()


async def test_resume_takes_an_ordered_leaving_back(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer(1)
    await settle()
    await node.leave(after_round=True)
    await node.resume()
    assert not (await node.status()).leaving
    coordinator.result(1)
    await settle()
    assert not node.stopped.is_set()
    await node.close()


async def test_the_day_to_leave_is_kept_and_does_not_come_twice(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    await node.limit(Limits(leave_on="2027-01-31", threads=2))
    coordinator.offer(1)
    await settle()
    clock(node).now += 30 * 24 * HOUR_S
    node._steering.look()
    await settle()
    assert not node.stopped.is_set(), "the round under way is finished first"
    assert (await node.status()).leaving
    coordinator.result(1)
    await asyncio.wait_for(node.stopped.wait(), 10)
    assert configs.load(home.config).limits == Limits(threads=2)
    await node.close()


# ---- consent, link, words ---------------------------------------------------------------------


async def test_a_withdrawn_consent_is_gone_and_the_node_asks_again(home: Profile) -> None:
    coordinator = FakeCoordinator()
    coordinator.receipts = False
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    await node.withdraw()
    assert not home.consent.exists()
    assert list(home.work.iterdir()) == []
    await settle()
    readied = len(coordinator.readied)
    seen = await node.status()
    assert (seen.state, seen.consented) == ("asking", False)
    assert seen.plan is not None, "what is asked about is shown"
    coordinator.offer(2)
    await settle()
    assert [opening.round for opening in coordinator.opened] == [1]
    await node.consent(coordinator.plan_hash.hex())
    await settle()
    assert len(coordinator.readied) == readied + 1
    assert await state(node) == "waiting"
    with pytest.raises(Refused):
        await (await _withdrawn(node)).withdraw()
    await node.close()


async def _withdrawn(node: Node) -> Node:
    await node.withdraw()
    await settle()
    return node


async def test_retry_dials_now(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    with pytest.raises(Refused, match="connected already"):
        await node.retry()
    coordinator.drop()
    await node.retry()
    assert coordinator.num_retries == 1
    await settle()
    assert await state(node) == "waiting"
    await node.close()


async def test_after_the_link_gave_up_retry_begins_anew(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.drop(code=4009, text="busy elsewhere", retry=False)
    coordinator.stopped.set()
    await settle()
    assert await state(node) == "stopped"
    await node.retry()
    await settle()
    assert await state(node) == "waiting"
    await node.close()


async def test_an_alarm_is_acknowledged_if_it_is_there(home: Profile) -> None:
    node = make_node(home, FakeCoordinator())
    with pytest.raises(Refused):
        await node.acknowledge(1)
    await node.close()


async def test_orders_of_a_node_in_no_federation_are_refused(
    home: Profile, tmp_path: Path
) -> None:
    node = make_node(home, FakeCoordinator())
    await node.start()
    for command in (node.pause, node.stop_sharing, node.retry, node.resume):
        with pytest.raises(Refused, match="no federation"):
            await command()
    assert not (home.root / "orders.json").exists()
    await node.limit(msgspec.structs.replace(Limits(), threads=2))
    assert configs.load(home.config).limits.threads == 2, "limits need no federation"
    await node.close()
