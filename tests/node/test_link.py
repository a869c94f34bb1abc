"""What the link does when a session cannot be had, or ends: by its code, and by nothing forged."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from coordinator.server import NodeLink, NodeServer, Rejected, ServerSettings
from fedtui.crypto.keys import Identity, PublicIdentity
from fedtui.errors import ChannelError, CloseCode, Retry
from fedtui.link import live
from fedtui.wire.events import MessageReceived, SessionEnded, SessionEvent
from fedtui.wire.halves import Admission, CoordinatorSession, NodeHello
from fedtui.wire.messages import PATH, SUBPROTOCOL, Away, ClientHello, Waiting, Welcome
from fedtui.wire.session import Session
from node import link as link_module
from node.dial import identify
from node.link import BASE_S, CAP_S, Drop, Link, LinkStopped, Tuning, judge

COORDINATOR = Identity.from_seed(b"c" * 32)
OTHER = Identity.from_seed(b"o" * 32)
NODE = Identity.from_seed(b"n" * 32)
PLAN_HASH = b"p" * 32
HELLO = NodeHello(label="alice", role="participant")


class Gate:
    def __init__(self) -> None:
        self.links: list[NodeLink] = []
        self.hellos: list[ClientHello] = []
        self.verdict: Rejected | None = None
        self.never = False

    async def admit(self, identity: PublicIdentity, hello: ClientHello, address: str) -> Admission:
        self.hellos.append(hello)
        if self.verdict is not None:
            raise self.verdict
        if self.never:
            await asyncio.sleep(3600)
        return Admission(
            state="enrolled",
            role=hello.role,
            federation_id=b"f" * 32,
            plan_hash=PLAN_HASH,
            plan_bytes=0,
        )

    def opened(self, link: NodeLink) -> None:
        self.links.append(link)

    def event(self, link: NodeLink, event: SessionEvent) -> None:
        pass

    def closed(self, link: NodeLink, code: int, text: str) -> None:
        pass


class Handler:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.drops: list[tuple[Drop, float | None]] = []
        self.events: list[SessionEvent] = []
        self.up = asyncio.Event()
        self.down = asyncio.Event()

    def connected(self, welcome: Welcome) -> None:
        self.log.append("connected")
        self.up.set()
        self.down.clear()

    def event(self, event: SessionEvent) -> None:
        self.events.append(event)

    def disconnected(self, drop: Drop, retry_in_s: float | None) -> None:
        self.log.append("disconnected")
        self.drops.append((drop, retry_in_s))
        self.up.clear()
        self.down.set()


class Sleeper:
    """Stands for the clock: notes each pause, and ends it when the test says so."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.go_on = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.go_on.acquire()


class World:
    """A coordinator, and a link that has not been started."""

    def __init__(self, identity: Identity = COORDINATOR) -> None:
        self.gate = Gate()
        self.server = NodeServer(
            identity, self.gate, settings=ServerSettings(federation="test", incarnation=1)
        )
        self.handler = Handler()
        self.sleeper = Sleeper()
        self.jitter = 0.5
        self.port = 0
        self.task: asyncio.Task[LinkStopped] | None = None

    def link(self, *addresses: str, identity: Identity = NODE) -> Link:
        return Link(
            identity,
            addresses=addresses or (f"127.0.0.1:{self.port}",),
            coordinator_id=COORDINATOR.id,
            hello=HELLO,
            handler=self.handler,
            tuning=Tuning(jitter=lambda: self.jitter, sleep=self.sleeper.sleep),
        )

    def run(self, link: Link) -> "asyncio.Task[LinkStopped]":
        self.task = asyncio.create_task(link.run())
        return self.task

    async def drops(self, count: int) -> None:
        await until(lambda: len(self.handler.drops) >= count)


async def until(done: Callable[[], bool]) -> None:
    while True:
        if done():
            return
        await asyncio.sleep(0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    world.port = await world.server.start("127.0.0.1", 0)
    yield world
    if world.task is not None:
        world.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await world.task
    await world.server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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


@contextlib.asynccontextmanager
async def some_server(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    http = web.Server(answer)
    listener = await loop.create_server(http, "127.0.0.1", 0)
    yield listener.sockets[0].getsockname()[1]
    listener.close()
    await http.shutdown(0.1)


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
