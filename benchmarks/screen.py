"""What the operator's screen costs: the real program in a real pseudo-terminal on a real node.

    python -m benchmarks.screen --json
    python -m benchmarks.screen --quiet --seconds 20 --columns 80 --rows 24

A coordinator and three nodes run here; the screen is attached to one of them at its 2 Hz. Twice:

quiet: that node trains nearly all the time, as on a workstation; the other two, which would be on
other machines, have a hundredth of its data and wait for it.
busy: all three train on as much data, with more trainers than this machine may have cores.

Then all is paused between two rounds, and the screen must write nothing. Figures: CPU share of one
core and bytes/s of the screen while training; milliseconds from a key to the first byte of its
answer, for keys that go to another screen, for keys within a screen (cursor, levels, filter), and
all of them; start to first paint (seconds of wall clock and of CPU); the longest time that the
daemon's control socket needed for its first line (an upper bound of its event loop's lag), also
while the screen's terminal is not read at all; bytes and CPU share while nothing changes; and how
busy all of this machine was during the keys, in % of one core.

The budgets: under 3 % and 20 kB/s at 120x36, key p50 under 10 ms and p99 under 60 ms, lag p99
under 20 ms, 0 bytes when nothing changes, first paint under 1 s. They are for a quiet machine.
"""

import argparse
import asyncio
import contextlib
import fcntl
import os
import shutil
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.printing import show
from fedtui.control.client import ControlClient
from fedtui.demo.federation import LocalFederation, NodeSpec
from fedtui.demo.programs import Programs
from fedtui.demo.screen import socket_of

NODES = 3
LABELS = tuple(f"bench-{number}" for number in range(1, NODES + 1))
PLAN = f"""\
[federation]
name = "benchmark"
[task]
name = "digits"
[task.options]
model = "cnn"
[training]
epochs = 40
batch_size = 16
[selection]
minimum = {NODES}
[rounds]
start_with = {NODES}
maximum = 100000
[evaluation]
with_evaluator = false
"""
ALL_DATA = "0/1"
SMALL = 100  # parts of the data, of which a node that hardly trains has one
SWITCHES = "7231456"
WITHIN = ("k", "k", "j", "+", "-", "/", "r", "o", "\x7f", "\x7f", "\r")  # on the events
SETTLE_S = 130.0  # after a pause: the last flow leaves the rates of two minutes, toasts go


class Terminal:
    """The screen as a child on a pseudo-terminal; `drained` False lets its output pile up."""

    def __init__(
        self, argv: list[str], environment: dict[str, str], size: tuple[int, int]
    ) -> None:
        self.master, slave = os.openpty()
        columns, rows = size
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.began = time.monotonic()
        self.pid = os.posix_spawn(
            argv[0],
            argv,
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, slave, number) for number in (0, 1, 2)],
            setsid=True,
        )
        os.close(slave)
        os.set_blocking(self.master, False)
        self.process = psutil.Process(self.pid)
        self.num_bytes = 0
        self.data = bytearray()
        self.heard = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.master, self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                chunk = os.read(self.master, 65536)
            except OSError:  # the screen is gone
                asyncio.get_running_loop().remove_reader(self.master)
                return
            self.num_bytes += len(chunk)
            self.data += chunk
            self.heard.set()

    async def until(self, text: bytes) -> None:
        while text not in self.data:
            self.heard.clear()
            await self.heard.wait()

    def stall(self) -> None:
        asyncio.get_running_loop().remove_reader(self.master)

    def drain(self) -> None:
        asyncio.get_running_loop().add_reader(self.master, self._read)

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system

    async def key(self, key: str) -> float:
        """Press it when the screen has just painted; seconds until it answers."""
        self.heard.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.heard.wait(), 0.6)  # where no tick changes anything
        await asyncio.sleep(0.1)  # away from the next tick, which would answer for the key
        self.heard.clear()
        pressed = time.perf_counter()
        os.write(self.master, key.encode())
        await self.heard.wait()
        return time.perf_counter() - pressed

    def end(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self.process.kill()
        os.waitpid(self.pid, 0)
        os.close(self.master)


async def lag(socket: Path, seconds: float) -> list[float]:
    """How long the daemon took for its first line to somebody new, again and again."""
    found = []
    client = ControlClient(socket)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        await client.hello()
        found.append(time.perf_counter() - began)
        await asyncio.sleep(0.02)
    return found


async def over(socket: Path) -> None:
    """Wait until the round under way is over: what comes of it is news to the screen."""
    async with contextlib.aclosing(ControlClient(socket).watch()) as told:
        async for status in told:
            if not status.round.phase:
                return


async def pressed(terminal: Terminal, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of keys that go to another screen, and of keys within one."""
    switches = [await terminal.key(key) for key in SWITCHES * rounds]
    await terminal.key("7")
    within = [await terminal.key(key) for key in WITHIN * rounds]
    return switches, within


async def measure(options: argparse.Namespace, federation: LocalFederation) -> dict[str, Any]:
    programs = federation.programs
    await federation.start()
    nodes = programs.folder / "nodes"
    socket = socket_of(nodes, LABELS[0])
    environment = {**os.environ, **programs.environment, "TERM": "xterm-256color"}
    argv = [str(Path(sys.executable).parent / "fedtui"), "--profile", LABELS[0]]
    terminal = Terminal(argv, environment, (options.columns, options.rows))
    try:
        await terminal.until(LABELS[0].encode())
        first_s, first_cpu_s = time.monotonic() - terminal.began, terminal.cpu_seconds()
        has_torch = any("torch" in one.path for one in terminal.process.memory_maps())
        await asyncio.sleep(3)
        cpu, sent, began = terminal.cpu_seconds(), terminal.num_bytes, time.monotonic()
        lags = await lag(socket, options.seconds)
        elapsed = time.monotonic() - began
        cpu, sent = terminal.cpu_seconds() - cpu, terminal.num_bytes - sent
        psutil.cpu_percent()
        switches, within = await pressed(terminal, options.rounds)
        busy = psutil.cpu_percent() * (psutil.cpu_count() or 1)
        os.write(terminal.master, b"1")
        terminal.stall()
        stalled = await lag(socket, options.seconds)
        terminal.drain()
        await programs.run(*federation.coordinator("pause"))
        await over(socket)
        await programs.run(*federation.node(federation.nodes[0], "pause"))
        await asyncio.sleep(SETTLE_S)
        idle, idle_cpu = terminal.num_bytes, terminal.cpu_seconds()
        await asyncio.sleep(3 * options.seconds)
        idle, idle_cpu = terminal.num_bytes - idle, terminal.cpu_seconds() - idle_cpu
        memory = terminal.process.memory_info().rss / 1e6
    finally:
        terminal.end()
    return {
        "size": f"{options.columns}x{options.rows}",
        "cpu_percent": round(100 * cpu / elapsed, 2),
        "bytes_per_s": round(sent / elapsed),
        "key_ms": _spread([*switches, *within]),
        "key_to_a_screen_ms": _spread(switches),
        "key_within_a_screen_ms": _spread(within),
        "num_keys": len(switches) + len(within),
        "machine_busy_percent": round(busy),
        "daemon_lag_ms": _spread(lags),
        "daemon_lag_stalled_ms": _spread(stalled),
        "bytes_when_nothing_changes": idle,
        "cpu_percent_when_nothing_changes": round(100 * idle_cpu / (3 * options.seconds), 2),
        "first_paint_s": round(first_s, 2),
        "first_paint_cpu_s": round(first_cpu_s, 2),
        "rss_mb": round(memory, 1),
        "imports_torch": has_torch,
    }


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)


def _spread(values: list[float]) -> dict[str, float]:
    found = sorted(values)
    return {
        "p50": _ms(statistics.median(found)),
        "p99": _ms(found[int(0.99 * (len(found) - 1))]),
        "most": _ms(found[-1]),
    }


async def run(options: argparse.Namespace, shards: tuple[str, ...]) -> dict[str, Any]:
    """All figures, with the nodes training on these parts of the data."""
    folder = Path(tempfile.mkdtemp(prefix="fedtui-bench-"))
    (folder / "run").mkdir(mode=0o700)
    programs = Programs(
        folder, {"FEDTUI_HOME": str(folder / "nodes"), "XDG_RUNTIME_DIR": str(folder / "run")}
    )
    specs = tuple(
        NodeSpec(label=label, shard=shard) for label, shard in zip(LABELS, shards, strict=True)
    )
    federation = LocalFederation(programs, PLAN, specs)
    try:
        return await measure(options, federation)
    finally:
        await programs.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--columns", type=int, default=120)
    parser.add_argument("--rows", type=int, default=36)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=6, help="of all keys")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--quiet", action="store_true", help="one training node only")
    only.add_argument("--busy", action="store_true", help="three training nodes only")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    small = tuple(f"{number}/{SMALL}" for number in range(1, NODES))
    cases = {"quiet": (ALL_DATA, *small), "busy": (ALL_DATA,) * NODES}
    for name, shards in cases.items():
        if (options.busy and name == "quiet") or (options.quiet and name == "busy"):
            continue
        found = {"machine": name, **asyncio.run(run(options, shards))}
        show(found, as_json=options.json)


if __name__ == "__main__":
    main()
