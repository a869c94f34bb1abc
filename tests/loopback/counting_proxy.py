"""A TCP proxy that counts what a websocket carries: the payload of its frames, by direction.

It reads the HTTP upgrade and the frames' headers (RFC 6455), changes nothing, and so counts apart
from everybody else what is on the socket.
"""

import asyncio
from dataclasses import dataclass, field

DATA = {0, 1, 2}  # continuation, text, binary


@dataclass
class Counted:
    """One direction. `num_payload` is of data frames, `num_tcp` of everything."""

    num_tcp: int = 0
    num_payload: int = 0
    num_headers: int = 0
    num_upgrade: int = 0
    num_control: int = 0
    _pending: bytearray = field(default_factory=bytearray)
    _upgraded: bool = False

    def take(self, data: bytes) -> None:
        self.num_tcp += len(data)
        self._pending += data
        if not self._upgraded:
            end = self._pending.find(b"\r\n\r\n")
            if end < 0:
                return
            self.num_upgrade += end + 4
            del self._pending[: end + 4]
            self._upgraded = True
        while self._frame():
            pass

    def _frame(self) -> bool:
        """Take one whole frame off the bytes that are here; False if there is none."""
        data = self._pending
        if len(data) < 2:
            return False
        size, header = data[1] & 0x7F, 2
        if size == 126:
            header, size = 4, int.from_bytes(data[2:4], "big")
        elif size == 127:
            header, size = 10, int.from_bytes(data[2:10], "big")
        header += 4 if data[1] & 0x80 else 0
        if len(data) < header + size:
            return False
        self.num_headers += header
        if data[0] & 0x0F in DATA:
            self.num_payload += size
        else:
            self.num_control += size
        del data[: header + size]
        return True


class CountingProxy:
    """Listens on a free port of 127.0.0.1 and passes one connection at a time on to `port`."""

    def __init__(self, port: int) -> None:
        self.up = Counted()
        self.down = Counted()
        self._target = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        there, thither = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass(reader, thither, self.up))
                group.create_task(_pass(there, writer, self.down))
        except* ConnectionError:
            pass
        finally:
            self._tasks.discard(task)
            for one in (writer, thither):
                one.close()


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counted: Counted
) -> None:
    while data := await reader.read(2**16):
        counted.take(data)
        writer.write(data)
        await writer.drain()
    writer.close()
