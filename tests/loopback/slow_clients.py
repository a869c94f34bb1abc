"""A process of 1,000 connections that never come to the point: `slow_clients.py PORT SECONDS`.

Four kinds: silent, half a header, a header byte now and then, an upgrade without a handshake. They
come from 100 loopback addresses. Prints how many there were and how long the longest was let stay.
"""

import asyncio
import contextlib
import json
import sys
import time

UPGRADE = (
    b"GET /fedtui/v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
    b"Sec-WebSocket-Protocol: fedtui.v1\r\n\r\n"
)
NUM_CLIENTS = 1000
PAUSE_S = 2.0


async def stay(port: int, kind: int, address: str) -> float:
    """Connect, say too little, and return for how many seconds that was put up with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    writer.write((b"", b"GET /fedtui/v1 HTTP/1.1\r\nHo", b"", UPGRADE)[kind])
    start = time.monotonic()
    dripping = asyncio.create_task(drip(writer)) if kind == 2 else None
    try:
        with contextlib.suppress(OSError):
            while await reader.read(4096):
                pass
        return time.monotonic() - start
    finally:
        if dripping is not None:
            dripping.cancel()
        writer.transport.abort()


async def drip(writer: asyncio.StreamWriter) -> None:
    for byte in UPGRADE:
        if writer.is_closing():
            return
        writer.write(bytes([byte]))
        await asyncio.sleep(0.8)


async def main(port: int, seconds: float) -> None:
    stays: list[float] = []

    async def client(number: int) -> None:
        address = f"127.0.{1 + number // 10 % 10}.{1 + number // 100}"
        while True:
            with contextlib.suppress(OSError):
                stays.append(await stay(port, number % 4, address))
            await asyncio.sleep(PAUSE_S)

    tasks = [asyncio.create_task(client(number)) for number in range(NUM_CLIENTS)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    sys.stdout.write(json.dumps({"stays": len(stays), "longest_s": max(stays)}))


asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
