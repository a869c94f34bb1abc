"""The admin socket: how the operator's commands reach the running coordinator. Local, 0600.

One JSON object a line. A command is an Ask; the answer is one line, or, for `follow`, a line for
everything that happens until either side hangs up. On Linux the kernel tells who connected: only
this user and root are answered. A path too long for a socket (107 bytes on Linux) gives way
to one in the user's runtime folder, which `admin.path` names.
"""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import structlog

from coordinator.asks import MAX_LINE_BYTES, Answer, AnyAsk, AskFollow
from coordinator.exits import Exit, of_error
from coordinator.layout import Layout, socket_path

log = structlog.get_logger(__name__)

IDLE_S = 60.0
_PEER = struct.Struct("3i")


Answering = Callable[[AnyAsk], Awaitable[object]]
Following = Callable[[], AsyncIterator[object]]


class AdminServer:
    """Answers on the socket while it is open. The store's lock must be held by this process."""

    def __init__(self, layout: Layout, answer: Answering, follow: Following) -> None:
        self._path = socket_path(layout)
        self._note = layout.root / "admin.path"
        self._answer = answer
        self._follow = follow
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open the socket; one that a crash left behind is replaced."""
        self._path.unlink(missing_ok=True)
        former = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._connected, self._path, limit=MAX_LINE_BYTES
            )
        finally:
            os.umask(former)
        if self._path.parent != self._note.parent:
            self._note.write_text(str(self._path), encoding="utf-8")

    async def stop(self) -> None:
        """Hang up on everybody and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            if _is_ours(writer.get_extra_info("socket")):
                await self._serve(reader, writer)
        except (ConnectionError, TimeoutError):
            pass
        except asyncio.CancelledError:
            pass  # the server stops; there is nobody to pass this on to
        finally:
            if task is not None:
                self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    line = await reader.readline()
            except ValueError:
                await _write(writer, _refused("a command must fit into one line of 64 KiB"))
                return
            if not line:
                return
            try:
                ask = msgspec.json.decode(line, type=AnyAsk)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                await _write(writer, _refused(f"this is no command: {str(error)[:200]}"))
                return
            if isinstance(ask, AskFollow):
                await self._stream(writer)
                return
            await _write(writer, await self._answered(ask))

    async def _answered(self, ask: AnyAsk) -> Answer:
        try:
            result = await self._answer(ask)
        except Exception as error:
            known = of_error(error)
            if known is None:
                log.exception("command failed", command=type(ask).__name__)
                known = "the coordinator could not do this; its log says why", Exit.INTERNAL
            return Answer(ok=False, error=known[0], exit=int(known[1]))
        return Answer(ok=True, result=msgspec.Raw(msgspec.json.encode(result)))

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        async for line in self._follow():
            await _write(writer, line)


def _is_ours(connection: socket.socket) -> bool:
    """Whether this user, or root, is at the other end, as far as the kernel tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the socket is 0600 in a folder that is 0700
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    _, uid, _ = _PEER.unpack(data)
    return uid in {0, os.getuid()}


def _refused(text: str) -> Answer:
    return Answer(ok=False, error=text, exit=int(Exit.USAGE))


async def _write(writer: asyncio.StreamWriter, line: object) -> None:
    writer.write(msgspec.json.encode(line) + b"\n")
    await writer.drain()
