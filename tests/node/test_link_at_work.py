"""What the link carries while it lives: what is said, its pulse, and its end by hand."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import numpy as np
import pytest
from a_link import (
    COORDINATOR,
    HELLO,
    NODE,
    PLAN_HASH,
    Handler,
    World,
    a_world,
    some_server,
    until,
)
from aiohttp import web

from fedtui.crypto.keys import Identity
from fedtui.errors import ChannelError, CloseCode, Retry
from fedtui.link import live
from fedtui.wire.events import MessageReceived
from fedtui.wire.halves import Admission, CoordinatorSession, NodeHello
from fedtui.wire.messages import SUBPROTOCOL, Away, Waiting
from fedtui.wire.session import Session
from node import link as link_module
from node.dial import identify
from node.link import Link, LinkStopped, Tuning


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as found:
        yield found


# ---- saying things -----------------------------------------------------------------------------


async def test_nothing_is_said_without_a_session(world: World) -> None:
    link = world.link()
    assert not link.connected
    assert not link.send(Away(away=True))
    assert not link.ready(PLAN_HASH)
    assert link.open_stream(None, None) is None  # type: ignore[arg-type]
    assert not link.accept(1, None)  # type: ignore[arg-type]
    assert not link.refuse(1, CloseCode.LIMIT, text="")
    assert not link.receipt(1, PLAN_HASH)
    assert not link.cancel_stream(1)
    assert link.round_trip_s is None
    link.reconnect()


async def test_consent_then_messages(world: World) -> None:
    link = world.link()
    world.run(link)
    await asyncio.wait_for(world.handler.up.wait(), 10)
    assert link.connected
    assert not link.ready(b"x" * 32)
    assert not link.send(Away(away=True))
    assert link.ready(PLAN_HASH)
    assert not link.ready(PLAN_HASH)
    assert link.send(Away(away=True))
    await until(lambda: world.gate.links[0].ready)
    waiting = Waiting(incarnation=1, present=1, needed=2)
    assert world.gate.links[0].send(waiting)
    await until(lambda: bool(world.handler.events))
    assert world.handler.events == [MessageReceived(waiting)]


async def test_stop_says_goodbye_and_returns(world: World) -> None:
    link = world.link()
    task = world.run(link)
    await asyncio.wait_for(world.handler.up.wait(), 10)
    link.stop("see you")
    stopped = await asyncio.wait_for(task, 10)
    assert stopped == LinkStopped(4000, "see you")
    ended = world.gate.links[0].ended
    assert ended is None or (ended.code, ended.authentic) == (4000, True)


async def test_stop_while_waiting_to_try_again(world: World) -> None:
    await world.server.stop()
    link = world.link()
    task = world.run(link)
    await until(lambda: bool(world.sleeper.pauses))
    link.stop()
    await asyncio.wait_for(task, 10)


async def test_stop_in_a_pause_is_the_end_although_the_coordinator_is_there(world: World) -> None:
    link = world.link()
    task = world.run(link)
    await asyncio.wait_for(world.handler.up.wait(), 10)
    link.reconnect()
    await until(lambda: bool(world.sleeper.pauses))
    link.stop()
    assert (await asyncio.wait_for(task, 10)).code == 4000
    assert len(world.gate.hellos) == 1


async def test_stop_while_it_dials_is_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = link_module.dial

    async def dial(*arguments: object, **options: object) -> aiohttp.ClientWebSocketResponse:
        websocket = await real(*arguments, **options)
        link.stop()
        return websocket

    monkeypatch.setattr(link_module, "dial", dial)
    link = world.link()
    await asyncio.wait_for(world.run(link), 10)
    assert world.gate.hellos == []


async def test_reconnect_uses_what_is_said_now(world: World) -> None:
    link = world.link()
    world.run(link)
    await asyncio.wait_for(world.handler.up.wait(), 10)
    link.use_hello(NodeHello(label="alicia", role="participant"))
    link.reconnect()
    await asyncio.wait_for(world.handler.down.wait(), 10)
    await until(lambda: bool(world.sleeper.pauses))
    link.reconnect()
    await asyncio.wait_for(world.handler.up.wait(), 10)
    assert [hello.label for hello in world.gate.hellos] == ["alice", "alicia"]


async def test_round_trips_are_measured(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "ECHO_EVERY_S", 0.01)
    link = world.link()
    world.run(link)
    await asyncio.wait_for(world.handler.up.wait(), 10)
    await until(lambda: link.round_trip_s is not None and bool(world.gate.links[0].round_trip_s))
    assert link.round_trip_s is not None
    assert 0 < link.round_trip_s < 10


async def test_a_coordinator_that_answers_pings_but_no_echo_is_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "ECHO_EVERY_S", 0.01)
    monkeypatch.setattr(live, "ECHO_LOST_S", 0.05)
    monkeypatch.setattr(CoordinatorSession, "_say", lambda session, message: None)
    monkeypatch.setattr(CoordinatorSession, "can_send", lambda session, message: False)
    welcome = CoordinatorSession.welcome

    def say_welcome(session: CoordinatorSession, admission: Admission) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(CoordinatorSession, "_say", Session._say)
            welcome(session, admission)

    monkeypatch.setattr(CoordinatorSession, "welcome", say_welcome)
    world.run(world.link())
    await asyncio.wait_for(world.handler.up.wait(), 10)
    await asyncio.wait_for(world.handler.down.wait(), 10)
    drop, retry_in_s = world.handler.drops[0]
    assert "no answer to an echo" in drop.text
    assert drop.retry is Retry.SILENTLY
    assert retry_in_s is not None


async def test_a_session_that_is_a_day_old_ends_and_the_next_begins(world: World) -> None:
    link = world.link()
    world.run(link)
    await asyncio.wait_for(world.handler.up.wait(), 10)
    assert link._live is not None
    link._live.session.deadline = 0.0
    link._live._expire()
    await asyncio.wait_for(world.handler.down.wait(), 10)
    world.sleeper.go_on.release()
    await asyncio.wait_for(world.handler.up.wait(), 10)


async def test_a_hundred_links_in_one_process(world: World) -> None:
    rng = np.random.default_rng(1)
    handlers = []
    tasks = []
    links = []
    async with aiohttp.ClientSession() as http:
        for number in range(100):
            handler = Handler()
            link = Link(
                Identity.from_seed(number.to_bytes(32, "little")),
                addresses=[f"127.0.0.1:{world.port}"],
                coordinator_id=COORDINATOR.id,
                hello=HELLO,
                handler=handler,
                tuning=Tuning(jitter=lambda: 0.1 * rng.random(), http=http),
            )
            handlers.append(handler)
            links.append(link)
            tasks.append(asyncio.create_task(link.run()))
        for handler in handlers:
            await asyncio.wait_for(handler.up.wait(), 30)
        assert len(world.server.links) == 100
        for link in links:
            link.stop()
        await asyncio.gather(*tasks)


# ---- asking who is there ------------------------------------------------------------------------


async def test_identify_tells_the_coordinator_nothing(world: World) -> None:
    found = await identify(NODE, f"127.0.0.1:{world.port}")
    assert found.identity == COORDINATOR.public
    assert found.hello.federation == "test"
    assert not found.pinned
    assert world.gate.hellos == []


async def test_identify_something_else() -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        websocket = web.WebSocketResponse(protocols=(SUBPROTOCOL,), compress=False)
        await websocket.prepare(request)
        await websocket.send_bytes(b"x" * 200)
        await websocket.receive()
        return websocket

    async with some_server(answer) as port:
        with pytest.raises(ChannelError):
            await identify(NODE, f"127.0.0.1:{port}")
