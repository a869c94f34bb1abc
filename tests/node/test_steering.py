"""What the operator orders and limits takes effect: at once, durably, and by itself later."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from fake_federation import (
    COORDINATOR,
    UPDATE,
    Clock,
    FakeCoordinator,
    FakeTrainer,
    enter,
    make_node,
    member,
    settle,
    write_config,
)

from fedtui.status import Limits, Refused
from fedtui.wire.messages import Away, Declining, Leaving, Waiting
from node import config as configs
from node import orders, workstation
from node.controls import Node
from node.keystore import TrustStore
from node.paths import Profile

MB = 1e6
HOUR_S = 3600.0


def clock(node: Node) -> Clock:
    found = node._home.clock
    assert isinstance(found, Clock)
    return found


def aways(coordinator: FakeCoordinator) -> list[bool]:
    return [message.away for message in coordinator.said if isinstance(message, Away)]


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


async def state(node: Node) -> str:
    return (await node.status()).state


# ---- pause ------------------------------------------------------------------------------------


async def test_a_pause_ends_by_itself(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    until = clock(node).now + HOUR_S
    await node.pause(until)
    seen = await node.status()
    assert (seen.state, seen.pause_until) == ("paused", until)
    assert "until" in seen.sentence
    clock(node).now = until - 1
    node._steering.look()
    assert await state(node) == "paused"
    clock(node).now = until
    node._steering.look()
    seen = await node.status()
    assert (seen.state, seen.pause_until) == ("waiting", 0.0)
    assert aways(coordinator) == [True, False]
    assert orders.load(home) == orders.Orders()
    await node.close()


async def test_a_pause_ends_although_the_disk_is_full(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await member(home, FakeCoordinator())
    await node.pause(clock(node).now + HOUR_S)
    monkeypatch.setattr(orders, "save", full)
    clock(node).now += HOUR_S
    node._steering.look()
    seen = await node.status()
    assert seen.state == "waiting"
    assert "orders.json cannot be written" in seen.log[-1].text
    await node.close()


async def test_a_leaving_that_the_disk_prevents_is_tried_again(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer(1)
    await settle()
    await node.leave(after_round=True)
    with monkeypatch.context() as broken:
        broken.setattr(configs, "save", full)
        coordinator.result(1)
        await settle()
        assert not node.stopped.is_set()
        assert any("cannot leave" in line.text for line in await node.log())
    node._steering.look()
    await asyncio.wait_for(node.stopped.wait(), 10)
    assert configs.load(home.config).coordinator.id == ""
    await node.close()


async def test_a_pause_with_an_end_outlives_the_daemon(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    until = clock(node).now + HOUR_S
    await node.pause(until)
    await node.close()
    node = make_node(home, coordinator)
    await enter(home, node)
    seen = await node.status()
    assert (seen.state, seen.pause_until) == ("paused", until)
    clock(node).now = until
    node._steering.look()
    assert await state(node) == "waiting"
    await node.close()


async def test_a_pause_needs_no_connection(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.drop()
    assert await state(node) == "connecting"
    await node.pause()
    assert await state(node) == "paused"
    coordinator.connect()
    await settle()
    assert aways(coordinator)[-1] is True, "the coordinator hears of it when it can"
    await node.resume()
    assert await state(node) == "waiting"
    await node.close()


async def test_a_pause_until_the_past_is_refused(home: Profile) -> None:
    node = await member(home, FakeCoordinator())
    with pytest.raises(Refused, match="over"):
        await node.pause(clock(node).now)
    assert await state(node) == "waiting"
    await node.close()


# ---- limits -----------------------------------------------------------------------------------


async def test_limits_are_durable_shown_and_hold_at_once(home: Profile) -> None:
    coordinator, trainer = FakeCoordinator(), FakeTrainer()
    node = await member(home, coordinator, trainer=trainer)
    sessions = len(coordinator.hellos)
    limits = Limits(cpu_percent=40, threads=3, memory_mb=900, max_upload_kb_per_s=100)
    await node.limit(limits)
    assert (await node.status()).limits == limits
    assert trainer.limits is not None
    assert (trainer.limits.cpu_percent, trainer.limits.num_threads) == (40, 3)
    assert coordinator.rate == 100_000
    config = configs.load(home.config)
    assert config.limits == limits
    assert (config.label, config.coordinator.id) == ("alice", COORDINATOR.id.hex())
    assert len(coordinator.hellos) == sessions, "the session goes on"
    await node.close()
    node = make_node(home, coordinator)
    await enter(home, node)
    assert (await node.status()).limits == limits
    assert coordinator.rate == 100_000
    await node.close()


async def test_limits_edited_by_hand_are_taken_over_by_join(home: Profile) -> None:
    coordinator, trainer = FakeCoordinator(), FakeTrainer()
    node = await member(home, coordinator, trainer=trainer)
    text = home.config.read_text().replace("cpu_percent = 100", "cpu_percent = 25")
    home.config.write_text(text)
    await node.join()
    assert (await node.status()).limits.cpu_percent == 25
    assert trainer.limits is not None
    assert trainer.limits.cpu_percent == 25
    await node.close()


@pytest.mark.parametrize(
    "changes", [{"leave_on": "2026-13-01"}, {"leave_on": "2001-01-01"}, {"hours": "07:00-07:00"}]
)
async def test_limits_that_cannot_be_change_nothing(
    home: Profile, changes: dict[str, str]
) -> None:
    node = await member(home, FakeCoordinator())
    with pytest.raises(Refused):
        await node.limit(Limits(**changes))
    assert configs.load(home.config).limits == Limits()
    assert (await node.status()).limits == Limits()
    await node.close()


async def test_a_days_volume_holds_and_the_next_day_it_goes_on(home: Profile) -> None:
    """Offers come and come; not a byte more is announced than the operator allows."""
    coordinator = FakeCoordinator()
    most = 2.5 * len(UPDATE)
    write_config(home, limits=Limits(max_upload_mb_per_day=most / MB))
    node = await member(home, coordinator)
    for number in range(1, 7):
        coordinator.offer(number)
        await settle()
        coordinator.result(number)
        await settle()
        assert (await node.status()).traffic.up_today <= most
    seen = await node.status()
    assert seen.state == "resting"
    assert "used up" in seen.resting == seen.sentence
    assert [opening.round for opening in coordinator.opened] == [1, 2]
    assert aways(coordinator) == [True]
    clock(node).now += 24 * HOUR_S
    node._steering.look()
    seen = await node.status()
    assert (seen.state, seen.resting) == ("waiting", "")
    assert aways(coordinator) == [True, False]
    coordinator.offer(7)
    await settle()
    assert [opening.round for opening in coordinator.opened] == [1, 2, 7]
    await node.close()


async def test_sums_of_a_measurement_count_against_the_volume_too(home: Profile) -> None:
    coordinator = FakeCoordinator()
    most = 10
    write_config(home, role="evaluator", limits=Limits(max_upload_mb_per_day=most / MB))
    coordinator.role = "evaluator"
    node = await member(home, coordinator)
    coordinator.evaluate(1)
    await settle()
    assert node._home.ledger.num_bytes_on(clock(node).now) == 0
    assert not [one for one in coordinator.said if getattr(one, "sums", {})]
    await node.close()


async def test_on_battery_the_round_under_way_is_given_up(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    power = ["AC"]
    monkeypatch.setattr(workstation, "power", lambda: power[0])
    coordinator, trainer = FakeCoordinator(), FakeTrainer(hold=asyncio.Event())
    write_config(home, limits=Limits(run="AC"))
    node = await member(home, coordinator, trainer=trainer)
    coordinator.offer()
    await settle()
    assert await state(node) == "training"
    power[0] = "battery"
    node._steering.look()
    await settle()
    assert await state(node) == "resting"
    assert trainer.num_cancelled == 1
    assert isinstance(coordinator.said[-2], Declining)
    assert coordinator.said[-1] == Away(away=True)
    power[0] = "AC"
    node._steering.look()
    assert await state(node) == "waiting"
    await node.close()


async def test_a_pause_in_a_rest_lasts_and_a_resume_waits_for_the_end_of_the_rest(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    power = ["battery"]
    monkeypatch.setattr(workstation, "power", lambda: power[0])
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    await node.limit(Limits(run="AC"))
    assert await state(node) == "resting"
    await node.pause()
    assert await state(node) == "paused"
    power[0] = "AC"
    node._steering.look()
    assert await state(node) == "paused"
    assert aways(coordinator)[-1] is True
    power[0] = "battery"
    node._steering.look()
    await node.resume()
    assert await state(node) == "resting"
    assert aways(coordinator)[-1] is True
    await node.limit(Limits())
    assert await state(node) == "waiting"
    assert aways(coordinator)[-1] is False
    await node.close()


async def test_a_node_that_starts_outside_its_hours_says_so_first(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workstation, "power", lambda: "battery")
    coordinator = FakeCoordinator()
    write_config(home, limits=Limits(run="AC"))
    node = await member(home, coordinator)
    assert await state(node) == "resting"
    assert aways(coordinator) == [True]
    coordinator.offer()
    await settle()
    assert coordinator.opened == []
    await node.close()


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


async def test_own_words_are_computed_once(home: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[bytes] = []

    def six(identity: bytes) -> tuple[str, ...]:
        computed.append(identity)
        return ("one",) * 6

    monkeypatch.setattr("node.controls.words", six)
    node = make_node(home, FakeCoordinator())
    assert await node.words() == await node.words() == ("one",) * 6
    assert computed == [node._home.identity.id]
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
