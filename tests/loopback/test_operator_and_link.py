"""What an operator does to a link with bytes under way: pace it, and cut it where nothing acks."""

import asyncio
import os
import socket

import psutil
import pytest
from house import Bytes, Proxy, Service, hash_of, house, until

from coordinator.server import NodeLink
from fedtui.wire.bulk import MAX_DATA_BYTES
from fedtui.wire.events import MessageReceived, SessionEvent, StreamReceipt
from fedtui.wire.messages import Away, Open, UpdateHeader

pytestmark = pytest.mark.loopback


def opening(data: bytes) -> Open:
    return Open(
        stream=0,
        kind="update",
        num_bytes=len(data),
        digest=hash_of(data),
        incarnation=1,
        round=1,
        attempt=1,
        manifest_digest=b"m" * 32,
        update=UpdateHeader(num_examples=1, sums={}),
    )


async def test_a_paced_upload_keeps_to_its_rate_and_messages_overtake_it() -> None:
    rate, data = 400_000.0, os.urandom(600_000)
    heard: list[int] = []
    service = Service()

    def on_event(link: NodeLink, event: SessionEvent) -> None:
        if isinstance(event, MessageReceived) and isinstance(event.message, Away):
            heard.append(len(service.spool.data))

    service.on_event = on_event
    async with house(service) as here:
        await asyncio.wait_for(here.node.enrolled.wait(), 10)
        here.link.pace(rate)
        loop = asyncio.get_running_loop()
        source = Bytes(data)
        began = loop.time()
        assert here.link.open_stream(opening(data), source) is not None
        while source.num_read < len(data):
            before = source.num_read
            assert before <= rate * (loop.time() - began) + MAX_DATA_BYTES
            here.link.send(Away(away=False))
            await until(lambda before=before: source.num_read > before)
        await here.node.hear(StreamReceipt)
        assert bytes(service.spool.data) == data
        assert heard, "messages came"
        assert heard[0] < len(data) - MAX_DATA_BYTES, "before the update was through"


async def test_a_pace_that_is_lifted_lets_the_rest_go() -> None:
    data = os.urandom(300_000)
    async with house() as here:
        await asyncio.wait_for(here.node.enrolled.wait(), 10)
        here.link.pace(1.0)
        source = Bytes(data)
        here.link.open_stream(opening(data), source)
        await until(lambda: source.num_read > 0)
        assert source.num_read <= MAX_DATA_BYTES, "the next is due in 18 hours"
        here.link.pace(0.0)
        await here.node.hear(StreamReceipt)


def towards(port: int) -> list[str]:
    """The states of the sockets that talk to `port`, also of those that are closed already."""
    found = psutil.net_connections("tcp")
    return [one.status for one in found if one.raddr and one.raddr.port == port]


class NarrowProxy(Proxy):
    """Takes little from the system, so that what it does not read stays with the sender."""

    async def start(self, target: int) -> int:
        port = await super().start(target)
        assert self._listener is not None
        for one in self._listener.sockets:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what it accepts inherits
        return port


async def test_what_was_handed_to_the_system_does_not_leave_after_a_cut() -> None:
    """The path swallows everything: without a reset the queue would wait for better days."""
    release, dropping = asyncio.Event(), asyncio.Event()
    after: list[int] = []

    async def change(connection: int, upward: bool, data: bytes) -> bytes:
        if upward and dropping.is_set():
            await release.wait()
            after.append(len(data))
        return data

    proxy = NarrowProxy(change)
    async with house(through=proxy) as here:
        await asyncio.wait_for(here.node.enrolled.wait(), 10)
        data = os.urandom(64_000_000)
        source = Bytes(data)
        here.link.open_stream(opening(data), source)
        await until(lambda: source.num_read > 0)
        dropping.set()
        seen = -1
        while seen != source.num_read:  # until every buffer on the way is full
            seen = source.num_read
            await asyncio.sleep(0.2)
        (port,) = {int(address.rpartition(":")[2]) for address in here.link._addresses}
        assert towards(port) == [psutil.CONN_ESTABLISHED]
        loop = asyncio.get_running_loop()
        began = loop.time()
        here.link.cut()
        await until(lambda: not towards(port))
        print(f"socket gone after {1000 * (loop.time() - began):.0f} ms")  # noqa: T201
        assert source.num_read == seen
        release.set()
        await asyncio.wait_for(here.run, 10)
        assert here.node.drops[-1][1] is None, "it does not come back by itself"
