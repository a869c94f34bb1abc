"""A coordinator and a node on 127.0.0.1 without rounds: what the channel's tests live in."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from coordinator.guard import GuardSettings
from coordinator.server import NodeLink, NodeServer, Rejected, ServerSettings
from fedtui.crypto.keys import Identity, PublicIdentity
from fedtui.wire.events import (
    MessageReceived,
    Readied,
    SessionEvent,
    StreamComplete,
    StreamOpened,
    StreamReceipt,
)
from fedtui.wire.halves import Admission, NodeHello
from fedtui.wire.messages import ClientHello, Enrolled, Fetch, Open, Welcome
from node.link import Drop, Link, LinkStopped, Tuning

COORDINATOR = Identity.from_seed(b"c" * 32)
NODE = Identity.from_seed(b"n" * 32)
PLAN = b"a plan " * 1000
PLAN_HASH = hashlib.blake2b(PLAN, digest_size=32).digest()


async def until(done: Callable[[], bool]) -> None:
    """Wait for what no event tells; the test's own time limit is the limit."""
    while True:
        if done():
            return
        await asyncio.sleep(0.001)


def hash_of(data: bytes | bytearray) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


class Bytes:
    """A source that counts what was read from it."""

    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)
        self.num_read = 0

    @property
    def num_bytes(self) -> int:
        return len(self.data)

    def read(self, offset: int, size: int) -> memoryview:
        self.num_read += size
        return self.data[offset : offset + size]


class Spool:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: memoryview, /) -> None:
        self.data += data


@dataclass
class Service:
    """The coordinator's service, reduced: admits, serves the plan, takes updates."""

    state: str = "enrolled"
    log: list[str] = field(default_factory=list)
    link: NodeLink | None = None
    opened_link: asyncio.Event = field(default_factory=asyncio.Event)
    spool: Spool = field(default_factory=Spool)
    opening: Open | None = None
    on_event: Callable[[NodeLink, SessionEvent], None] | None = None
    verdict: Rejected | None = None

    async def admit(self, identity: PublicIdentity, hello: ClientHello, address: str) -> Admission:
        if self.verdict is not None:
            raise self.verdict
        await asyncio.sleep(0)
        return Admission(
            state="enrolled" if self.state == "enrolled" else "pending",
            role=hello.role,
            federation_id=b"f" * 32,
            plan_hash=PLAN_HASH,
            plan_bytes=len(PLAN),
        )

    def opened(self, link: NodeLink) -> None:
        self.log.append("opened")
        self.link = link
        self.opened_link.set()

    def event(self, link: NodeLink, event: SessionEvent) -> None:
        if self.on_event is not None:
            self.on_event(link, event)
        match event:
            case MessageReceived(Fetch(kind="plan")):
                link.open_stream(
                    Open(stream=0, kind="plan", num_bytes=len(PLAN), digest=PLAN_HASH), Bytes(PLAN)
                )
            case Readied():
                self.log.append("readied")
                if self.state == "enrolled":
                    link.send(Enrolled(role=link.role, not_before=0, signature=b"s" * 64))
            case StreamOpened():
                self.opening = event.opening
                link.accept(event.opening.stream, self.spool, offset=len(self.spool.data))
            case StreamComplete():
                assert self.opening is not None
                assert hash_of(self.spool.data) == self.opening.digest
                link.receipt(event.stream, self.opening.digest)
            case StreamReceipt():
                self.log.append("receipt")
            case _:
                pass

    def closed(self, link: NodeLink, code: int, text: str) -> None:
        self.log.append(f"closed {code}")
        self.opened_link.clear()


@dataclass
class Node:
    """The node's service, reduced: reads the plan, consents, then hands events to a test."""

    link: Link | None = None
    drops: list[tuple[Drop, float | None]] = field(default_factory=list)
    events: asyncio.Queue[SessionEvent] = field(default_factory=asyncio.Queue)
    spool: Spool = field(default_factory=Spool)
    opening: Open | None = None
    enrolled: asyncio.Event = field(default_factory=asyncio.Event)

    def connected(self, welcome: Welcome) -> None:
        assert self.link is not None
        self.link.send(Fetch(kind="plan", digest=welcome.plan_hash))
        self.spool = Spool()

    def event(self, event: SessionEvent) -> None:
        assert self.link is not None
        match event:
            case StreamOpened():
                self.opening = event.opening
                self.link.accept(event.opening.stream, self.spool)
            case StreamComplete():
                assert self.opening is not None
                assert hash_of(self.spool.data) == self.opening.digest
                self.link.receipt(event.stream, self.opening.digest)
                if self.opening.kind == "plan":
                    assert bytes(self.spool.data) == PLAN
                    assert self.link.ready(PLAN_HASH)
                    self.spool = Spool()
                self.events.put_nowait(event)
            case MessageReceived(Enrolled()):
                self.enrolled.set()
            case _:
                self.events.put_nowait(event)

    def disconnected(self, drop: Drop, retry_in_s: float | None) -> None:
        self.drops.append((drop, retry_in_s))
        self.enrolled.clear()

    async def hear(self, kind: type) -> SessionEvent:
        while True:
            event = await asyncio.wait_for(self.events.get(), 30)
            if isinstance(event, kind):
                return event


@dataclass
class House:
    service: Service
    server: NodeServer
    node: Node
    link: Link
    port: int
    run: "asyncio.Task[LinkStopped]"


@asynccontextmanager
async def house(
    service: Service | None = None,
    *,
    guard: GuardSettings | None = None,
    through: "Proxy | None" = None,
) -> AsyncIterator[House]:
    """Start a coordinator and a node that dials it, through a proxy if there is one."""
    gate = service or Service()
    settings = ServerSettings(federation="test", incarnation=1, guard=guard or GuardSettings())
    server = NodeServer(COORDINATOR, gate, settings=settings)
    port = await server.start("127.0.0.1", 0)
    dialled = port if through is None else await through.start(port)
    node = Node()
    link = Link(
        NODE,
        addresses=[f"127.0.0.1:{dialled}"],
        coordinator_id=COORDINATOR.id,
        hello=NodeHello(label="alice", role="participant"),
        handler=node,
        tuning=Tuning(jitter=lambda: 0.01),
    )
    node.link = link
    run = asyncio.create_task(link.run())
    try:
        yield House(gate, server, node, link, port, run)
    finally:
        link.stop()
        await asyncio.wait_for(run, 20)
        await server.stop()
        if through is not None:
            await through.stop()


class Proxy:
    """Somebody on the path: sees every byte, and may change, delay or add some.

    `change(connection, upward, data)` is called with each chunk; what it returns goes on.
    """

    def __init__(self, change: Callable[[int, bool, bytes], Awaitable[bytes]]) -> None:
        self._change = change
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._target = 0
        self.num_connections = 0

    async def start(self, target: int) -> int:
        self._target = target
        self._listener = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        assert self._listener is not None
        self._listener.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.num_connections
        self.num_connections += 1
        try:
            onward, outward = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        for upward, source, target in ((True, reader, outward), (False, onward, writer)):
            task = asyncio.create_task(self._copy(number, upward, source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _copy(
        self,
        number: int,
        upward: bool,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
    ) -> None:
        try:
            while data := await source.read(65536):
                target.write(await self._change(number, upward, data))
                await target.drain()
        except ConnectionError:
            pass
        finally:
            target.close()
