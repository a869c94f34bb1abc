"""The guard: counts, buckets, addresses, and real sockets that say nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from a_coordinator import until
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from coordinator.guard import (
    MAX_ADDRESSES,
    Buckets,
    Guard,
    GuardedHandler,
    GuardSettings,
    address_of,
)


class Transport(asyncio.Transport):
    def __init__(self, peername: object) -> None:
        super().__init__({"peername": peername})


@pytest.mark.parametrize(
    ("peername", "address"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("::ffff:192.0.2.7", 1, 0, 0), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1, 0, 2), "fe80::/64"),
        ("/run/socket", ""),
        (None, ""),
    ],
)
def test_addresses(peername: object, address: str) -> None:
    assert address_of(Transport(peername)) == address


def test_a_bucket_refills() -> None:
    buckets = Buckets(rate=2.0, burst=3)
    assert [buckets.take("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert buckets.take("b", 0.0)
    assert buckets.wait_s("a", 0.0) == pytest.approx(0.5)
    assert not buckets.take("a", 0.4)
    assert buckets.take("a", 0.6)
    assert buckets.wait_s("c", 0.0) == 0.0


@given(
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_no_bucket_gives_more_than_it_may(rate: float, burst: int, gaps: list[float]) -> None:
    buckets = Buckets(rate, burst)
    now = 0.0
    num_taken = 0
    for gap in gaps:
        now += gap
        num_taken += buckets.take("a", now)
    assert num_taken <= burst + rate * now + 1e-6


def test_addresses_are_forgotten() -> None:
    buckets = Buckets(1.0, 1)
    for number in range(2 * MAX_ADDRESSES):
        buckets.take(str(number), 0.0)
    assert len(buckets._levels) == MAX_ADDRESSES


def test_caps_per_address_and_in_all() -> None:
    guard = Guard(GuardSettings(max_waiting=5, max_waiting_per_address=3))
    assert [guard.enter("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert [guard.enter(name, 0.0) for name in "bcd"] == [True, True, False]
    assert (guard.num_waiting, guard.num_refused) == (5, 2)
    guard.leave("a")
    assert guard.enter("d", 0.0)
    for name in "aabcd":
        guard.leave(name)
    assert guard.num_waiting == 0


def test_handshakes_per_second() -> None:
    guard = Guard(GuardSettings(handshakes_per_s=10, handshake_burst=2))
    for _ in range(2):
        assert guard.enter("a", 0.0)
        guard.leave("a")
    assert not guard.enter("a", 0.0)
    assert guard.enter("a", 0.1)


def test_failed_enrolments_per_minute() -> None:
    guard = Guard(GuardSettings())
    for _ in range(5):
        assert guard.enrolment_wait_s("a", 0.0) == 0.0
        guard.enrolment_failed("a", 0.0)
    assert guard.enrolment_wait_s("a", 0.0) == pytest.approx(12.0)
    assert guard.enrolment_wait_s("b", 0.0) == 0.0


# ---- on real sockets ---------------------------------------------------------------------------


class Door:
    """A guarded server whose requests never end, and what its handlers were."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.handlers: list[GuardedHandler] = []
        self.http = web.Server(self._answer)
        self.port = 0

    def allow(self, seconds: float) -> None:
        """Give whoever comes from now on a deadline that this machine cannot sleep through."""
        self.guard.settings = replace(self.guard.settings, handshake_s=seconds)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        websocket = web.WebSocketResponse(compress=False, max_msg_size=65536)
        await websocket.prepare(request)
        await websocket.receive()
        return websocket

    def handler(self) -> GuardedHandler:
        handler = GuardedHandler(self.guard, self.http)
        self.handlers.append(handler)
        return handler


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door(Guard(GuardSettings(handshake_s=0.3, max_waiting_per_address=6)))
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(door.handler, "127.0.0.1", 0)
    door.port = listener.sockets[0].getsockname()[1]
    yield door
    listener.close()
    await door.http.shutdown(0.1)


UPGRADE = (
    b"GET /fedtui/v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


async def closed(reader: asyncio.StreamReader) -> bytes:
    """Wait until the other side ends the connection; return what came before."""
    data = b""
    try:
        while chunk := await reader.read(65536):
            data += chunk
    except ConnectionError:
        pass
    return data


@pytest.mark.parametrize("said", [b"", b"GET /fedtui/v1 HTTP/1.1\r\nHo", UPGRADE])
async def test_L1_who_does_not_come_to_the_point_is_cut(door: Door, said: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(said)
    async with asyncio.timeout(5):
        await closed(reader)
    writer.close()
    assert door.guard.num_waiting == 0


async def test_L1_a_byte_now_and_then_does_not_help(door: Door) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)

    async def drip() -> None:
        for byte in UPGRADE:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    async with asyncio.timeout(5):
        await closed(reader)
    dripping.cancel()
    writer.close()
    assert door.guard.num_waiting == 0


async def test_a_flood_is_held_to_its_share(door: Door) -> None:
    door.allow(60.0)
    connections = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(20)]
    async with asyncio.timeout(30):
        for reader, _ in connections[6:]:
            await closed(reader)
    assert (door.guard.num_refused, door.guard.num_waiting) == (14, 6)
    for _, writer in connections:
        writer.close()
    await until(lambda: door.guard.num_waiting == 0)


async def test_who_is_identified_stays_and_who_is_admitted_counts_no_longer(door: Door) -> None:
    door.allow(2.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(UPGRADE)
    await reader.readuntil(b"\r\n\r\n")
    handler = door.handlers[-1]
    handler.identified()
    assert door.guard.num_waiting == 1
    handler.admitted()
    assert door.guard.num_waiting == 0
    other, other_writer = await asyncio.open_connection("127.0.0.1", door.port)
    async with asyncio.timeout(30):
        await closed(other)  # its deadline is over, so ours would be too
    assert not reader.at_eof()
    other_writer.close()
    writer.close()


async def test_long_headers_are_refused(door: Door) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n")
    async with asyncio.timeout(5):
        assert b" 400 " in await closed(reader)
    writer.close()
