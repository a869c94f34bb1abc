"""A coordinator's server that says what a test wants, and a link that has not been started."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from coordinator.server import NodeLink, NodeServer, Rejected, ServerSettings
from fedtui.crypto.keys import Identity, PublicIdentity
from fedtui.wire.events import SessionEvent
from fedtui.wire.halves import Admission, NodeHello
from fedtui.wire.messages import ClientHello, Welcome
from node.link import Drop, Link, LinkStopped, Tuning

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


@contextlib.asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    """One world, and its end."""
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
