"""Whoever implements NodeControls: a fake in this process, or a node behind a socket."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_node import PLAN, FakeNode

from fedtui.control.client import ControlClient
from fedtui.status import (
    Alarm,
    AlarmRaised,
    FoundCoordinator,
    Limits,
    NodeControls,
    NodeStatus,
    PastRound,
    Refused,
    RoundPassed,
    Setup,
)
from node.control import ControlServer


@dataclass
class Bench:
    """What is tested, and the node behind it."""

    controls: NodeControls
    node: FakeNode


@pytest.fixture(params=["fake", "socket"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    node = FakeNode()
    if request.param == "fake":
        yield Bench(node, node)
        return
    socket = tmp_path / "s"
    server = ControlServer(socket, controls=node, board=node.board)
    await server.start()
    yield Bench(ControlClient(socket), node)
    await server.close()


async def test_status_is_the_nodes_own(bench: Bench) -> None:
    assert await bench.controls.status() == bench.node.board.status


async def test_joining_passes_the_invite_and_shows_the_plan(bench: Bench) -> None:
    await bench.controls.join("fedtui1:abc")
    assert bench.node.invites == ["fedtui1:abc"]
    seen = await bench.controls.status()
    assert seen.state == "asking"
    assert seen.plan == PLAN
    assert not seen.consented


async def test_a_refusal_keeps_its_words_remedy_and_exit_code(bench: Bench) -> None:
    with pytest.raises(Refused) as refusal:
        await bench.controls.join("bad")
    found = refusal.value
    assert (found.text, found.remedy, found.exit_code) == ("no such invite", "ask for another", 8)


async def test_consent_is_to_the_plan_at_hand_only(bench: Bench) -> None:
    with pytest.raises(Refused):
        await bench.controls.consent(PLAN.plan_hash)
    await bench.controls.join()
    with pytest.raises(Refused):
        await bench.controls.consent("00" * 32)
    assert not (await bench.controls.status()).consented
    await bench.controls.consent(PLAN.plan_hash)
    assert (await bench.controls.status()).consented


async def test_check_reports(bench: Bench) -> None:
    await bench.controls.join()
    assert await bench.controls.check() == bench.node.report


async def test_pause_resume_leave_and_stop(bench: Bench) -> None:
    await bench.controls.join()
    await bench.controls.consent(PLAN.plan_hash)
    await bench.controls.pause()
    assert (await bench.controls.status()).state == "paused"
    await bench.controls.resume()
    assert (await bench.controls.status()).state == "waiting"
    await bench.controls.leave()
    assert (await bench.controls.status()).state == "idle"
    with pytest.raises(Refused):
        await bench.controls.pause()
    await bench.controls.stop()
    assert bench.node.stopped


async def test_rotating_the_key_changes_who_the_node_is(bench: Bench) -> None:
    with pytest.raises(Refused):
        await bench.controls.rotate_key()
    await bench.controls.join()
    await bench.controls.rotate_key()
    seen = await bench.controls.status()
    assert (seen.node_id, seen.fingerprint) == ("cd" * 32, "NEW")


async def test_ledger_and_log_give_the_newest_lines_oldest_first(bench: Bench) -> None:
    assert [line.round for line in await bench.controls.ledger(2)] == [4, 5]
    assert len(await bench.controls.ledger()) == 5
    for text in ("one", "two", "three"):
        bench.node.board.log("info", text)
    assert [line.text for line in await bench.controls.log(2)] == ["two", "three"]


async def test_watching_shows_now_and_every_end_state(bench: Bench) -> None:
    watching = bench.controls.watch()
    first = await anext(watching)
    assert first == bench.node.board.status
    bench.node.board.state("paused", "x")
    bench.node.board.state("waiting", "y")
    async with asyncio.timeout(10):
        seen = first
        while seen != bench.node.board.status:
            seen = await anext(watching)
    assert seen.sentence == "y"
    await watching.aclose()  # type: ignore[attr-defined]


async def test_two_watchers_and_a_command_do_not_disturb_each_other(bench: Bench) -> None:
    one, two = bench.controls.watch(), bench.controls.watch()
    await anext(one)
    await anext(two)
    await bench.controls.join()
    target = bench.node.board.status

    async def until_target(watching: AsyncIterator[NodeStatus]) -> NodeStatus:
        async for seen in watching:
            if seen == target:
                return seen
        raise AssertionError("the watch ended")

    async with asyncio.timeout(10):
        assert await until_target(one) == await until_target(two)
    await one.aclose()  # type: ignore[attr-defined]
    await two.aclose()  # type: ignore[attr-defined]


async def test_finding_a_coordinator_and_joining_it_by_address(bench: Bench) -> None:
    bench.node.found = (FoundCoordinator(name="c", address="10.0.0.1:8443", federation="clinics"),)
    assert await bench.controls.discover() == bench.node.found
    with pytest.raises(Refused):
        await bench.controls.probe("nowhere:1")
    probed = await bench.controls.probe(bench.node.probed.address)
    assert probed == bench.node.probed
    await bench.controls.join_at(probed.address, probed.coordinator_id)
    assert bench.node.joined_at == [(probed.address, probed.coordinator_id)]


async def test_an_invite_is_read_before_it_is_used(bench: Bench) -> None:
    seen = await bench.controls.read_invite("fedtui1:abc")
    assert seen.fingerprint == bench.node.probed.fingerprint
    assert bench.node.invites == []


async def test_choices_and_limits_arrive_as_they_were_made(bench: Bench) -> None:
    choice = Setup(data="/data", label="alder")
    await bench.controls.setup(choice)
    assert bench.node.choices == [choice]
    limits = Limits(cpu_percent=50, hours="20:00-07:00", run="AC")
    await bench.controls.limit(limits)
    assert (await bench.controls.status()).limits == limits


async def test_what_the_operator_can_stop_alone(bench: Bench) -> None:
    await bench.controls.join()
    await bench.controls.consent(PLAN.plan_hash)
    await bench.controls.pause(until=9.0)
    assert (await bench.controls.status()).pause_until == 9.0
    await bench.controls.retry()
    assert bench.node.retried == 1
    await bench.controls.withdraw()
    assert not (await bench.controls.status()).consented
    await bench.controls.stop_sharing()
    assert bench.node.shared_stopped
    await bench.controls.leave(after_round=True)
    assert (await bench.controls.status()).leaving
    await bench.controls.leave(forget=True)
    assert bench.node.forgot


async def test_an_alarm_stays_until_it_is_acknowledged(bench: Bench) -> None:
    bench.node.board.post(AlarmRaised(alarm=Alarm(id=3, at=1.0, kind="trainer", text="it died")))
    assert not (await bench.controls.status()).alarms[0].acknowledged
    await bench.controls.acknowledge(3)
    assert (await bench.controls.status()).alarms[0].acknowledged


async def test_past_rounds_and_the_nodes_own_words_can_be_read(bench: Bench) -> None:
    past = PastRound(number=2, attempt=1, outcome="counted", ended_at=5.0)
    bench.node.board.post(RoundPassed(past=past))
    assert await bench.controls.history() == (past,)
    assert len(await bench.controls.words()) == 6
