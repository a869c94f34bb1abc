"""A real pseudo-terminal with a program in it, and what a person would see of it (pyte)."""

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import sys
import termios
from collections.abc import Callable, Mapping, Sequence

import pyte


class ATerminal:
    """Starts `argv` with the slave as its terminal. Everything that it writes is kept in `raw`."""

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = bytearray()
        self._heard = asyncio.Event()
        self._is_gone = False
        self._master, slave = os.openpty()
        self._size(slave, columns, rows)
        # a new session, whose controlling terminal becomes the first terminal that it opens
        name = os.ttyname(slave)
        self.pid = os.posix_spawn(
            argv[0],
            list(argv),
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
            setsid=True,
            setsigdef=[signal.SIGHUP, signal.SIGINT, signal.SIGTERM],  # whoever started us
        )
        os.close(slave)
        os.set_blocking(self._master, False)
        self._loop = asyncio.get_running_loop()
        self._code: int | None = None
        self.drain()

    @property
    def text(self) -> str:
        """What the screen shows, line by line."""
        return "\n".join(self._screen.display)

    async def until(self, shows: str | Callable[[str], bool]) -> None:
        """Wait until the screen shows this; the test's own time limit is the limit."""
        seen = shows if callable(shows) else lambda text: shows in text
        while not seen(self.text):
            assert not self._is_gone, f"the program ended: {bytes(self.raw[-3000:])!r}"
            self._heard.clear()
            await self._heard.wait()

    async def until_raw(self, wanted: bytes, *, after: int = 0) -> None:
        """Wait until the program has written these bytes."""
        while wanted not in self.raw[after:]:
            self._heard.clear()
            await self._heard.wait()

    async def quiet(self, seconds: float) -> int:
        """The number of bytes written in this time."""
        before = len(self.raw)
        await asyncio.sleep(seconds)
        return len(self.raw) - before

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        self._screen.resize(rows, columns)
        self._size(self._master, columns, rows)

    async def small_for_a_moment(self) -> None:
        """What was cut off is lost, and the program hears of one change, to the size it knows.

        It is drawing nothing at the time, so nothing comes back by chance.
        """
        while await self.quiet(0.5):
            pass
        columns, rows = self._screen.columns, self._screen.lines
        self.signal(signal.SIGSTOP)
        self.resize(20, 6)
        self.resize(columns, rows)
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stall(self) -> None:
        """Read no more: the program's writes will fill the terminal's buffer."""
        self._loop.remove_reader(self._master)

    def drain(self) -> None:
        self._loop.add_reader(self._master, self._read)

    def hang_up(self) -> None:
        """Close the terminal under the program."""
        self.stall()
        os.close(self._master)
        self._master = -1

    async def ended(self) -> int:
        """Wait for the program's end; its exit code, or minus the signal's number."""
        while self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)  # noqa: ASYNC222  it never waits
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
            else:
                await asyncio.sleep(0.02)
        return self._code

    async def close(self) -> None:
        """End the program; a test that failed shows what stood on the screen."""
        sys.stdout.write(f"{self.text}\n{bytes(self.raw[-500:])!r}\n")
        if self._code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            await self.ended()
        if self._master >= 0:
            self.hang_up()

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except BlockingIOError:
            return
        except OSError:  # the program is gone
            self.stall()
            self._is_gone = True
            self._heard.set()
            return
        self.raw += data
        self._stream.feed(data)
        self._heard.set()

    @staticmethod
    def _size(terminal: int, columns: int, rows: int) -> None:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
