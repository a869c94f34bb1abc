"""What is read is posted while somebody watches, and a trainer that died is an alarm."""

import asyncio

import pytest
from fake_federation import Clock, FakeCoordinator, make_node, member, settle
from fake_trainer import FakeTrainer

from fedtui import status
from node import noticing, readings
from node.paths import Profile


async def test_bytes_are_those_of_the_link_and_reconnects_are_counted(home: Profile) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    coordinator.offer()
    await settle()
    seen = (await node.status()).traffic
    assert (seen.up, seen.down) == coordinator.meter.totals()
    assert seen.up == len(coordinator.uploads[0])
    assert seen.down > 0
    assert seen.num_reconnects == 0
    coordinator.drop()
    coordinator.connect()
    await settle()
    seen = (await node.status()).traffic
    assert (seen.up, seen.down) == coordinator.meter.totals()
    assert seen.num_reconnects == 1
    await node.close()


async def test_what_was_received_today_begins_anew_at_midnight_and_outlives_a_link(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    first = (await node.status()).traffic.down
    assert (await node.status()).traffic.down_today == first
    await node.join()
    await settle()
    seen = (await node.status()).traffic
    assert seen.down_today == coordinator.meter.totals()[1] + first
    monkeypatch.setattr(Clock, "now", Clock.now + 86_400)
    assert (await node.status()).traffic.down_today == 0
    coordinator.tally.received.num_ctrl += 11
    assert (await node.status()).traffic.down_today == 11
    await node.close()


@pytest.mark.parametrize("watched", [False, True])
async def test_it_is_told_each_second_only_while_somebody_watches(
    home: Profile, monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    monkeypatch.setattr(readings, "EVERY_S", 0.0)
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    heard: list[status.Event] = []
    node._board.listen(heard.append, watches=watched)
    coordinator.tally.sent.num_data += 1000
    for _ in range(10):
        await settle()
    told = [event for event in heard if isinstance(event, status.TrafficMeasured)]
    assert bool(told) is watched
    await node.close()


async def test_what_keeps_the_link_open_is_not_told_and_what_is_asked_is_exact(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "EVERY_S", 0.0)
    monkeypatch.setattr(noticing, "KEPT_OPEN_PER_S", 1e9)  # joining is in the meter's window yet
    coordinator = FakeCoordinator()
    node = await member(home, coordinator)
    before = (await node.status()).traffic.down
    heard: list[status.Event] = []
    node._board.listen(heard.append)
    for _ in range(10):
        coordinator.tally.received.num_ctrl += 50
        await settle()
    assert [event for event in heard if isinstance(event, status.TrafficMeasured)] == []
    assert (await node.status()).traffic.down == before + 500
    await node.close()


async def test_seconds_without_traffic_are_told_until_no_flow_is_in_the_rates(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noticing, "KEPT_OPEN_PER_S", 1e9)  # nothing flows
    monkeypatch.setattr(readings, "EVERY_S", 0.0)
    monkeypatch.setattr(readings, "MACHINE_EVERY", 10**9)
    node = await member(home, FakeCoordinator())
    node._board.post(status.TrafficMeasured(traffic=status.Traffic(up_per_s=5e6)))
    node._board.post(status.TrafficMeasured(traffic=node._board.status.traffic))  # 5 MB/s twice
    node._readings.traffic()
    heard: list[status.Event] = []
    node._board.listen(heard.append)
    await settle(4 * status.MAX_RATES)
    told = [event for event in heard if isinstance(event, status.TrafficMeasured)]
    assert len(told) == status.MAX_RATES - 1, "one is told already"
    assert node._board.status.traffic.up_rates == (0,) * status.MAX_RATES
    await node.close()


async def test_a_machine_is_read_while_the_trainer_works_too(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "EVERY_S", 0.0)
    trainer = FakeTrainer()
    node = make_node(home, FakeCoordinator(), trainer=trainer)
    await node.start()
    seen = (await node.status()).machine
    assert seen.num_cores > 0
    trainer.state, trainer.pid = "busy", 1
    for _ in range(10):
        await settle()
    assert (await node.status()).machine.trainer_pid == 1
    await node.close()


async def test_a_trainer_that_died_is_an_alarm_with_its_last_words(home: Profile) -> None:
    trainer = FakeTrainer()
    node = make_node(home, FakeCoordinator(), trainer=trainer)
    await node.start()
    words = tuple(f"line {number}\x1b[2J" for number in range(40))
    trainer.on_death("the trainer was killed by signal 9", words)
    seen = await node.status()
    (alarm,) = seen.alarms
    assert alarm.kind == "trainer died"
    assert "signal 9" in alarm.text
    assert len(alarm.detail) == 20
    assert alarm.detail[-1].startswith("line 39")
    assert "\x1b" not in "".join(alarm.detail)
    assert seen.machine.trainer_restarts == 1
    assert (seen.log[-1].level, seen.log[-1].source) == ("error", "train")
    await node.close()
    await asyncio.sleep(0)
