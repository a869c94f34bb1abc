"""What the link does when a session cannot be had, or ends: by its code, and by nothing forged."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from a_link import (
    COORDINATOR,
    OTHER,
    World,
    a_world,
    free_port,
    some_server,
    until,
)
from aiohttp import web

from coordinator.server import NodeServer, Rejected, ServerSettings
from fedtui.errors import CloseCode, Retry
from fedtui.wire.events import SessionEnded
from fedtui.wire.messages import PATH, SUBPROTOCOL, Away
from node import link as link_module
from node.link import BASE_S, CAP_S, Drop, LinkStopped, judge


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as found:
        yield found


# ---- judging ----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", list(CloseCode))
def test_authentic_ends_follow_the_table(code: CloseCode) -> None:
    assert judge(SessionEnded(int(code), "said")) == Drop(
        code=int(code), text="said", retry=code.retry
    )


@pytest.mark.parametrize("code", list(CloseCode))
def test_S5_what_is_not_authentic_never_stops_a_node(code: CloseCode) -> None:
    retry = judge(SessionEnded(int(code), "", authentic=False)).retry
    assert retry in {Retry.SILENTLY, Retry.WITH_BANNER}


def test_a_code_from_the_future_is_retried() -> None:
    assert judge(SessionEnded(4999, "?")).retry is Retry.SILENTLY


# ---- trying again ------------------------------------------------------------------------------


async def test_pauses_grow_with_full_jitter_and_start_over_after_a_session(world: World) -> None:
    port = world.port
    await world.server.stop()
    link = world.link()
    world.run(link)
    for number in range(1, 10):
        await world.drops(number)
        world.sleeper.go_on.release()
    ceilings = [min(CAP_S, BASE_S * 2**number) for number in range(1, 10)]
    await until(lambda: len(world.sleeper.pauses) >= 9)
    assert world.sleeper.pauses[:9] == [0.5 * ceiling for ceiling in ceilings]
    assert ceilings[-1] == CAP_S
    assert world.handler.drops[0][0].retry is Retry.SILENTLY
    assert f"127.0.0.1:{port}" in world.handler.drops[0][0].text

    world.server = NodeServer(
        COORDINATOR, world.gate, settings=ServerSettings(federation="test", incarnation=2)
    )
    await world.server.start("127.0.0.1", port)
    await until(lambda: len(world.sleeper.pauses) >= len(world.handler.drops))
    world.sleeper.go_on.release()
    await asyncio.wait_for(world.handler.up.wait(), 10)
    assert link.server_hello is not None
    assert link.server_hello.incarnation == 2
    world.gate.links[-1].lose("gone")
    await asyncio.wait_for(world.handler.down.wait(), 10)
    assert world.handler.drops[-1][1] == 0.5 * BASE_S


async def test_jitter_may_be_anything_down_to_nothing(world: World) -> None:
    await world.server.stop()
    world.jitter = 0.0
    world.run(world.link())
    await world.drops(1)
    assert world.handler.drops[0][1] == 0.0


async def test_the_coordinator_may_ask_for_a_longer_pause(world: World) -> None:
    world.gate.verdict = Rejected(
        CloseCode.OVERLOADED, "busy", retryable=True, retry_after_s=120.0
    )
    world.run(world.link())
    await world.drops(1)
    assert world.handler.drops == [
        (Drop(code=4010, text="busy", retry=Retry.SILENTLY), 120.0),
    ]


@pytest.mark.parametrize(
    "code", [CloseCode.UNAUTHORISED, CloseCode.REVOKED, CloseCode.PENDING_TIMEOUT]
)
async def test_a_verdict_stops_the_link(world: World, code: CloseCode) -> None:
    world.gate.verdict = Rejected(code, "no")
    stopped = await asyncio.wait_for(world.run(world.link()), 10)
    assert stopped == LinkStopped(int(code), "no")
    assert world.handler.drops[-1][1] is None
    assert world.sleeper.pauses == []


async def test_revoked_while_connected(world: World) -> None:
    task = world.run(world.link())
    await asyncio.wait_for(world.handler.up.wait(), 10)
    world.gate.links[0].close(CloseCode.REVOKED, "revoked by the operator")
    stopped = await asyncio.wait_for(task, 10)
    assert stopped == LinkStopped(4008, "revoked by the operator")
    assert world.handler.log == ["connected", "disconnected"]


async def test_another_identity_at_the_only_address_is_a_hard_stop() -> None:
    world = World(OTHER)
    world.port = await world.server.start("127.0.0.1", 0)
    stopped = await asyncio.wait_for(world.run(world.link()), 10)
    assert stopped.code == CloseCode.IDENTITY_MISMATCH
    assert world.gate.hellos == []
    await world.server.stop()


async def test_addresses_are_tried_in_turn(world: World) -> None:
    stranger = World(OTHER)
    stranger.port = await stranger.server.start("127.0.0.1", 0)
    dead = f"127.0.0.1:{free_port()}"
    link = world.link(
        dead, f"127.0.0.1:{stranger.port}", "not an address", f"127.0.0.1:{world.port}"
    )
    world.run(link)
    await asyncio.wait_for(world.handler.up.wait(), 10)
    assert link.coordinator == COORDINATOR.public
    assert world.handler.log == ["connected"]
    link.reconnect()
    await asyncio.wait_for(world.handler.down.wait(), 10)
    assert link._addresses[0] == f"127.0.0.1:{world.port}"
    await stranger.server.stop()


async def test_a_coordinator_that_never_answers_is_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "WELCOME_S", 0.1)
    world.gate.never = True
    world.run(world.link())
    await world.drops(1)
    drop, _ = world.handler.drops[0]
    assert drop.retry is Retry.SILENTLY
    assert "did not answer" in drop.text
    for task in asyncio.all_tasks():
        if "NodeServer._admit" in repr(task.get_coro()):
            task.cancel()


# ---- forged, and other servers -----------------------------------------------------------------


@pytest.mark.parametrize("code", [4001, 4003, 4008, 1000])
async def test_S5_a_bare_close_code_decides_nothing(world: World, code: int) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        websocket = web.WebSocketResponse(protocols=(SUBPROTOCOL,), compress=False)
        await websocket.prepare(request)
        await websocket.close(code=code, message=b"revoked")
        return websocket

    async with some_server(answer) as port:
        world.run(world.link(f"127.0.0.1:{port}"))
        await world.drops(1)
        drop, retry_in_s = world.handler.drops[0]
        assert drop.retry is Retry.SILENTLY
        assert retry_in_s is not None
        assert world.task is not None
        world.task.cancel()


@pytest.mark.parametrize("status", [200, 302, 401, 500])
async def test_what_is_no_coordinator(world: World, status: int) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.path != PATH:
            raise AssertionError("a redirect was followed")
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with some_server(answer) as port:
        world.run(world.link(f"127.0.0.1:{port}"))
        await world.drops(1)
        drop, retry_in_s = world.handler.drops[0]
        assert drop.retry is Retry.SILENTLY
        assert retry_in_s is not None
        assert ("redirects" if status == 302 else str(status)) in drop.text


async def test_retry_does_not_wait_for_the_back_off(world: World) -> None:
    port = world.port
    await world.server.stop()
    link = world.link(f"127.0.0.1:{port}")
    world.run(link)
    await world.drops(1)
    world.server = NodeServer(
        COORDINATOR, world.gate, settings=ServerSettings(federation="test", incarnation=2)
    )
    await world.server.start("127.0.0.1", port)
    await until(lambda: link._pause is not None)
    link.retry()
    await asyncio.wait_for(world.handler.up.wait(), 10)
    link.retry()
    assert link.connected, "a session that stands is left alone"


async def test_a_cut_link_does_not_come_back(world: World) -> None:
    link = world.link()
    task = world.run(link)
    await asyncio.wait_for(world.handler.up.wait(), 10)
    link.cut()
    assert not link.send(Away(away=True))
    assert not link.connected
    await asyncio.wait_for(task, 10)
    assert world.handler.drops[-1][1] is None
    assert world.sleeper.pauses == []


async def test_a_link_that_waits_can_be_cut(world: World) -> None:
    await world.server.stop()
    link = world.link()
    task = world.run(link)
    await world.drops(1)
    await until(lambda: link._pause is not None)
    link.cut()
    await asyncio.wait_for(task, 10)
    assert [retry_in_s is None for _, retry_in_s in world.handler.drops] == [False, True]
