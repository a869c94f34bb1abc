"""Real aiohttp on 127.0.0.1: handshake, consent, bulk both ways, reconnect with resume."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from coordinator.server import NodeLink, NodeServer, Rejected, ServerSettings
from fedtui.crypto.keys import Identity, PublicIdentity
from fedtui.errors import CloseCode
from fedtui.wire.events import (
    MessageReceived,
    Readied,
    SessionEvent,
    StreamComplete,
    StreamOpened,
    StreamReceipt,
)
from fedtui.wire.halves import Admission, NodeHello
from fedtui.wire.messages import ClientHello, Enrolled, Fetch, Open, Waiting, Welcome
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
        await asyncio.sleep(0)


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
async def house(**service: object) -> AsyncIterator[House]:
    gate = Service(**service)  # type: ignore[arg-type]
    server = NodeServer(
        COORDINATOR, gate, settings=ServerSettings(federation="test", incarnation=1)
    )
    port = await server.start("127.0.0.1", 0)
    node = Node()
    link = Link(
        NODE,
        addresses=[f"127.0.0.1:{port}"],
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
        await asyncio.wait_for(run, 10)
        await server.stop()


def random_bytes(size: int) -> bytes:
    return np.random.default_rng(7).bytes(size)


async def test_join_and_40_megabytes_each_way() -> None:
    async with house() as here:
        await asyncio.wait_for(here.node.enrolled.wait(), 10)
        assert here.service.log == ["opened", "receipt", "readied"]
        assert here.link.coordinator == COORDINATOR.public

        update = random_bytes(40_000_000)
        opening = Open(stream=0, kind="update", num_bytes=len(update), digest=hash_of(update))
        assert here.link.open_stream(opening, Bytes(update)) is not None
        receipt = await here.node.hear(StreamReceipt)
        assert isinstance(receipt, StreamReceipt)
        assert receipt.digest == opening.digest
        assert here.service.spool.data == update

        model = update[::-1]
        assert here.service.link is not None
        opening = Open(stream=0, kind="model", num_bytes=len(model), digest=hash_of(model))
        assert here.service.link.open_stream(opening, Bytes(model)) is not None
        await here.node.hear(StreamComplete)
        await until(lambda: here.service.log.count("receipt") == 2)
        assert here.node.spool.data == model

        traffic = here.link.traffic(now=1.0)
        assert traffic.sent_payload == len(update)
        assert traffic.received_payload == len(model) + len(PLAN)
        sent = here.service.link.tally.sent
        assert sent.num_bytes == traffic.received_bytes
        assert traffic.sent_bytes - traffic.sent_payload < 0.001 * len(update)


async def test_pending_then_enrolled() -> None:
    async with house(state="pending") as here:
        await until(lambda: "readied" in here.service.log)
        assert not here.node.enrolled.is_set()
        assert here.service.link is not None
        here.service.link.send(Enrolled(role="participant", not_before=0, signature=b"s" * 64))
        here.service.link.send(Waiting(incarnation=1, present=1, needed=2))
        await asyncio.wait_for(here.node.enrolled.wait(), 10)
        heard = await here.node.hear(MessageReceived)
        assert isinstance(heard, MessageReceived)
        assert isinstance(heard.message, Waiting)


async def test_R10_a_broken_upload_goes_on_where_it_was() -> None:
    async with house() as here:
        await asyncio.wait_for(here.node.enrolled.wait(), 10)
        update = random_bytes(20_000_000)
        source = Bytes(update)
        opening = Open(stream=0, kind="update", num_bytes=len(update), digest=hash_of(update))
        here.link.open_stream(opening, source)
        await until(lambda: len(here.service.spool.data) > 5_000_000)
        assert here.service.link is not None
        here.service.link.lose("the cable was pulled")
        await asyncio.sleep(0)
        await until(lambda: bool(here.node.drops))
        assert len(here.service.spool.data) < len(update)
        await asyncio.wait_for(here.node.enrolled.wait(), 10)
        here.link.open_stream(opening, source)
        await here.node.hear(StreamReceipt)
        assert here.service.spool.data == update
        assert source.num_read - len(update) <= 2 * 2**20
        assert here.service.log.count("opened") == 2
        assert here.service.log.count("closed 4000") == 1


async def test_a_rejection_stops_the_link_with_its_reason() -> None:
    verdict = Rejected(CloseCode.UNAUTHORISED, "this invite was used already")
    async with house(verdict=verdict) as here:
        stopped = await asyncio.wait_for(here.run, 10)
        assert stopped == LinkStopped(4001, "this invite was used already")
        assert [retry for _, retry in here.node.drops] == [None]


@pytest.mark.parametrize("retry_after_s", [0.0, 0.25])
async def test_an_overloaded_coordinator_is_tried_again(retry_after_s: float) -> None:
    verdict = Rejected(CloseCode.OVERLOADED, "busy", retryable=True, retry_after_s=retry_after_s)
    async with house(verdict=verdict) as here:
        await until(lambda: bool(here.node.drops))
        here.service.verdict = None
        await asyncio.wait_for(here.node.enrolled.wait(), 10)
        drop, wait_s = here.node.drops[0]
        assert (drop.code, drop.text) == (4010, "busy")
        assert wait_s is not None
        assert wait_s >= retry_after_s
