"""What the encrypted channel costs, next to a plain aiohttp websocket with frames of one size.

    python benchmarks/channel.py [--megabytes 300] [--handshakes 500] [--json]

Coordinator and node are two processes on loopback. `send` and `receive` are CPU seconds per GB
(1e9 bytes of payload) of the process at that end, the best of three runs; `mb_per_s` is the wall
clock of the best run, a lower bound on a busy machine. A handshake is everything from the TCP
connection to the Welcome; `coordinator_ms` is the coordinator's CPU time for one.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import numpy as np
from aiohttp import web

from coordinator.guard import GuardSettings
from coordinator.server import NodeLink, NodeServer, ServerSettings
from fedtui.crypto.keys import Identity, PublicIdentity
from fedtui.wire.events import (
    MessageReceived,
    SessionEvent,
    StreamComplete,
    StreamOpened,
    StreamReceipt,
)
from fedtui.wire.halves import Admission, NodeHello
from fedtui.wire.messages import BulkKind, ClientHello, Fetch, Open, Welcome
from node.dial import new_http
from node.link import Drop, Link, LinkStopped, Tuning

COORDINATOR = Identity.from_seed(b"c" * 32)
DIGEST = bytes(32)
FRAME_BYTES = 65_535
BLOCK = np.random.default_rng(1).bytes(4 << 20)
NUM_RUNS = 3


class Repeated:
    """A source of any size that costs no memory."""

    def __init__(self, num_bytes: int) -> None:
        self.num_bytes = num_bytes
        self._block = memoryview(BLOCK)

    def read(self, offset: int, size: int) -> memoryview:
        start = offset % (len(BLOCK) - size)
        return self._block[start : start + size]


class Nowhere:
    def write(self, data: memoryview, /) -> None:
        pass


def opening(kind: BulkKind, num_bytes: int) -> Open:
    return Open(stream=0, kind=kind, num_bytes=num_bytes, digest=DIGEST)


class Service:
    """The coordinator, reduced: takes every stream, and answers a Fetch with one."""

    def __init__(self, num_bytes: int) -> None:
        self.num_bytes = num_bytes

    async def admit(self, identity: PublicIdentity, hello: ClientHello, address: str) -> Admission:
        del identity, hello, address  # everybody may come in
        return Admission(
            state="enrolled",
            role="participant",
            federation_id=bytes(32),
            plan_hash=DIGEST,
            plan_bytes=0,
        )

    def opened(self, link: NodeLink) -> None:
        pass

    def event(self, link: NodeLink, event: SessionEvent) -> None:
        match event:
            case StreamOpened():
                link.accept(event.opening.stream, Nowhere())
            case StreamComplete():
                link.receipt(event.stream, DIGEST)
            case MessageReceived(Fetch()):
                link.open_stream(opening("model", self.num_bytes), Repeated(self.num_bytes))
            case _:
                pass

    def closed(self, link: NodeLink, code: int, text: str) -> None:
        pass


async def plain(request: web.BaseRequest) -> web.WebSocketResponse:
    """Take frames until a short one, then send as many back: what a session is compared with."""
    websocket = web.WebSocketResponse(compress=False, max_msg_size=FRAME_BYTES + 1)
    await websocket.prepare(request)
    num_frames = 1
    while len(await websocket.receive_bytes()) == FRAME_BYTES:
        num_frames += 1
    await websocket.send_bytes(b"received")
    await websocket.receive_bytes()
    for _ in range(num_frames):
        await websocket.send_bytes(BLOCK[:FRAME_BYTES])
    await websocket.receive()
    return websocket


async def serve(num_bytes: int) -> None:
    """The coordinator's process: serves, and answers each line on stdin with its CPU seconds."""
    guard = GuardSettings(
        max_waiting_per_address=256, handshakes_per_s=1e6, handshake_burst=1_000_000
    )
    settings = ServerSettings(federation="benchmark", incarnation=1, guard=guard)
    server = NodeServer(COORDINATOR, Service(num_bytes), settings=settings)
    port = await server.start("127.0.0.1", 0)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(web.Server(plain, access_log=None), "127.0.0.1", 0)
    print(port, listener.sockets[0].getsockname()[1], flush=True)
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while await lines.readline():
        print(time.process_time(), flush=True)
    listener.close()
    await server.stop()


class Node:
    """The node, reduced: consents to anything and takes every stream."""

    link: Link

    def __init__(self) -> None:
        self.welcomed = asyncio.Event()
        self.through = asyncio.Event()

    def connected(self, welcome: Welcome) -> None:
        self.link.ready(welcome.plan_hash)
        self.welcomed.set()

    def event(self, event: SessionEvent) -> None:
        match event:
            case StreamOpened():
                self.link.accept(event.opening.stream, Nowhere())
            case StreamComplete():
                self.link.receipt(event.stream, DIGEST)
                self.through.set()
            case StreamReceipt():
                self.through.set()
            case _:
                pass

    def disconnected(self, drop: Drop, retry_in_s: float | None) -> None:
        if retry_in_s is not None:
            raise RuntimeError(drop.text)

    async def run_through(self) -> None:
        await self.through.wait()
        self.through.clear()


class Coordinator:
    """The other process, as seen from here."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin = process.stdin
        self._stdout = process.stdout

    async def line(self) -> list[str]:
        return (await self._stdout.readline()).decode().split()

    async def cpu_s(self) -> float:
        self._stdin.write(b"\n")
        return float((await self.line())[0])


Figures = dict[str, float]
Move = Callable[[], Awaitable[None]]


async def timed(coordinator: Coordinator, num_bytes: int, move: Move, *, up: bool) -> Figures:
    """Time one stream; CPU seconds are per GB."""
    theirs = await coordinator.cpu_s()
    ours, start = time.process_time(), time.perf_counter()
    await move()
    wall = time.perf_counter() - start
    ours = time.process_time() - ours
    theirs = await coordinator.cpu_s() - theirs
    send, receive = (ours, theirs) if up else (theirs, ours)
    return {
        "mb_per_s": num_bytes / 1e6 / wall,
        "send": send * 1e9 / num_bytes,
        "receive": receive * 1e9 / num_bytes,
    }


def make_link(port: int, *, number: int = 0, http: aiohttp.ClientSession | None = None) -> Node:
    node = Node()
    node.link = Link(
        Identity.from_seed(number.to_bytes(32, "little")),
        addresses=[f"127.0.0.1:{port}"],
        coordinator_id=COORDINATOR.id,
        hello=NodeHello(label="benchmark", role="participant"),
        handler=node,
        tuning=Tuning(http=http),
    )
    return node


async def run_session(coordinator: Coordinator, port: int, num_bytes: int) -> dict[str, Figures]:
    node = make_link(port)
    task = asyncio.create_task(node.link.run())
    await node.welcomed.wait()

    async def up() -> None:
        node.link.open_stream(opening("update", num_bytes), Repeated(num_bytes))
        await node.run_through()

    async def down() -> None:
        node.link.send(Fetch(kind="model", digest=DIGEST))
        await node.run_through()

    figures = {
        "up": await timed(coordinator, num_bytes, up, up=True),
        "down": await timed(coordinator, num_bytes, down, up=False),
    }
    node.link.stop()
    await task
    return figures


async def run_plain(coordinator: Coordinator, port: int, num_bytes: int) -> dict[str, Figures]:
    num_frames = num_bytes // FRAME_BYTES
    url = f"http://127.0.0.1:{port}/"
    async with (
        new_http() as http,
        http.ws_connect(url, compress=0, max_msg_size=FRAME_BYTES + 1) as websocket,
    ):

        async def up() -> None:
            for _ in range(num_frames):
                await websocket.send_bytes(BLOCK[:FRAME_BYTES])
            await websocket.send_bytes(b"end")
            await websocket.receive_bytes()

        async def down() -> None:
            await websocket.send_bytes(b"now you")
            for _ in range(num_frames + 1):
                await websocket.receive_bytes()

        num_bytes = num_frames * FRAME_BYTES
        return {
            "up": await timed(coordinator, num_bytes, up, up=True),
            "down": await timed(coordinator, num_bytes, down, up=False),
        }


async def run_handshakes(coordinator: Coordinator, port: int, count: int) -> Figures:
    """Connect `count` different nodes, 16 at a time, until each is welcomed."""
    async with new_http() as http:
        nodes = [make_link(port, number=number + 1, http=http) for number in range(count)]
        turn = asyncio.Semaphore(16)

        async def connect(node: Node) -> None:
            async with turn:
                tasks.append(asyncio.create_task(node.link.run()))
                await node.welcomed.wait()

        tasks: list[asyncio.Task[LinkStopped]] = []
        theirs = await coordinator.cpu_s()
        ours, start = time.process_time(), time.perf_counter()
        await asyncio.gather(*map(connect, nodes))
        wall = time.perf_counter() - start
        ours = time.process_time() - ours
        theirs = await coordinator.cpu_s() - theirs
        for node in nodes:
            node.link.stop()
        await asyncio.gather(*tasks)
    return {
        "per_s": count / wall,
        "coordinator_ms": theirs / count * 1e3,
        "node_ms": ours / count * 1e3,
    }


def best(runs: list[dict[str, Figures]]) -> dict[str, Figures]:
    """Return the best figure of all runs: the fastest wall clock, the least CPU time."""
    return {
        way: {
            key: (max if key == "mb_per_s" else min)(run[way][key] for run in runs)
            for key in runs[0][way]
        }
        for way in runs[0]
    }


async def measure(num_bytes: int, num_handshakes: int) -> dict[str, object]:
    """Start the coordinator's process, run everything, and return the figures."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__)),
        "--serve",
        str(num_bytes),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    coordinator = Coordinator(process)
    port, plain_port = map(int, await coordinator.line())
    sessions, plains = [], []
    for _ in range(NUM_RUNS):
        plains.append(await run_plain(coordinator, plain_port, num_bytes))
        sessions.append(await run_session(coordinator, port, num_bytes))
    handshakes = await run_handshakes(coordinator, port, num_handshakes)
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()
    return {
        "megabytes": num_bytes / 1e6,
        "plain": best(plains),
        "session": best(sessions),
        "handshakes": handshakes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=300)
    parser.add_argument("--handshakes", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve))
        return
    figures = asyncio.run(measure(int(options.megabytes * 1e6), options.handshakes))
    print(json.dumps(figures, indent=None if options.json else 2))


if __name__ == "__main__":
    main()
