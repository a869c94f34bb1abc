"""What the operator orders and limits takes effect: at once, durably, and by itself later."""

import asyncio

import pytest
from a_plan import COORDINATOR, UPDATE
from fake_federation import FakeCoordinator, enter, make_node, member, settle, write_config
from fake_trainer import FakeTrainer
from steered import HOUR_S, MB, aways, clock, full, state

from fedtui.status import Limits, Refused
from fedtui.wire.messages import Away, Declining
from node import config as configs
from node import orders, workstation
from node.paths import Profile

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
