"""A coordinator that only greets: it writes down every frame that a node sends, in a thread."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from fedtui.crypto.keys import Identity
from fedtui.wire.channel import prologue
from fedtui.wire.events import ClientIdentified
from fedtui.wire.halves import CoordinatorSession
from fedtui.wire.messages import PATH, PROTOCOL_MAX, PROTOCOL_MIN, SUBPROTOCOL
from fedtui.wire.session import SessionStart


@dataclass
class Greeter:
    """`frames` holds what came, a list for each connection; `met` who introduced themselves."""

    identity: Identity
    federation: str = "ward 7"
    versions: tuple[int, int] = (PROTOCOL_MIN, PROTOCOL_MAX)
    frames: list[list[bytes]] = field(default_factory=list)
    met: list[ClientIdentified] = field(default_factory=list)
    over: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    host: str = "127.0.0.1"
    port: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def greet(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(protocols=(SUBPROTOCOL,), compress=False)
        await websocket.prepare(request)
        session = CoordinatorSession(
            SessionStart(
                identity=self.identity,
                ephemeral_secret=os.urandom(32),
                prologue=prologue(PATH, (SUBPROTOCOL,), SUBPROTOCOL),
                now=0.0,
                versions=self.versions,
            ),
            federation=self.federation,
            incarnation=1,
        )
        heard: list[bytes] = []
        self.frames.append(heard)
        async for message in websocket:
            assert message.type is aiohttp.WSMsgType.BINARY
            heard.append(message.data)
            events = session.receive(message.data)
            self.met += [event for event in events if isinstance(event, ClientIdentified)]
            while (frame := session.next_frame()) is not None:
                await websocket.send_bytes(frame)
        self.over.release()
        return websocket


@contextmanager
def greeting(greeter: Greeter) -> Iterator[Greeter]:
    """Serve on a port of its own until the block ends."""
    ready, ends = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        app = web.Application()
        app.router.add_get(PATH, greeter.greet)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, greeter.host, greeter.port)
        await site.start()
        greeter.port = runner.addresses[0][1]
        ready.set()
        await ends.wait()
        await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield greeter
    finally:
        loops[0].call_soon_threadsafe(ends.set)
        thread.join()
