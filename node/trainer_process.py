"""One life of the trainer process, from spawn to exit: lines in, lines out, and why it ended.

node/trainer.py decides when lives begin and end. The process leads a session of its own: Ctrl-C in
the daemon's terminal does not reach it, and what it started dies with it. That matters: whatever a
task leaves running holds the pipes open, and for asyncio a child ends only when its pipes close.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from fedtui.plugins import OWN_VARIABLE
from node.jobs import (
    EXIT_MEMORY,
    MAX_LINE_BYTES,
    Bounds,
    Cancel,
    JobFailed,
    Progress,
    Ready,
    decode_reply,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.status import Device, Limits
    from node.jobs import Job, Outcome

_STDERR_TAIL = 8192
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerLimits:
    """What the operator allows the trainer; `memory_mb` 0 is no limit.

    `cpu_percent` is of `num_threads` cores.
    """

    cpu_percent: int = 100
    num_threads: int = 1
    memory_mb: int = 0
    device: Device = "auto"
    niceness: int = 10
    cancel_grace_s: float = 2.0

    @classmethod
    def of(cls, limits: Limits) -> TrainerLimits:
        """What node.toml says of the trainer."""
        return cls(
            cpu_percent=limits.cpu_percent,
            num_threads=limits.threads,
            memory_mb=limits.memory_mb,
            device=limits.device,
        )


class TrainerLife:
    """A running process. `ready` and `gone` are set once; `gone` implies `ready`.

    `on_end` is called just before `gone` is set, with a sentence that says why the process ended,
    or None if we ended it ourselves.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, on_end: Callable[[str | None], None]
    ) -> None:
        self.ready = asyncio.Event()
        self.gone = asyncio.Event()
        self._process = process
        self._on_end = on_end
        self._expected = False
        self._complaint: str | None = None
        self._stderr_tail = b""
        self._waiting: _Waiting | None = None
        self._task = asyncio.create_task(self._live(), name="trainer process")

    @classmethod
    async def begin(
        cls, limits: TrainerLimits, on_end: Callable[[str | None], None]
    ) -> TrainerLife:
        """Spawn the process. Raises OSError when the system cannot."""
        command = [
            sys.executable,
            "-P",  # the working directory may hold a file named like a module of ours
            "-m",
            "node.trainer_child",
            f"--threads={limits.num_threads}",
            f"--memory-mb={limits.memory_mb}",
            f"--cpu-percent={limits.cpu_percent}",
            f"--device={limits.device}",
            f"--nice={limits.niceness}",
        ]
        return await cls.spawn(command, on_end, env=_environment(limits.num_threads))

    @classmethod
    async def spawn(
        cls,
        command: list[str],
        on_end: Callable[[str | None], None],
        *,
        env: dict[str, str] | None = None,
        limit: int = MAX_LINE_BYTES,
    ) -> TrainerLife:
        """Begin a life of any program that speaks node/jobs.py; `limit` bounds a line."""
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: _Protocol(limit, loop), *command, env=env, start_new_session=True
        )
        return cls(asyncio.subprocess.Process(transport, protocol, loop), on_end)

    @property
    def ending(self) -> bool:
        """Whether we told the process to end; `gone` follows."""
        return self._expected

    @property
    def last_words(self) -> tuple[str, ...]:
        """What the process wrote to its stderr last, as lines; what came before is not kept."""
        return tuple(self._stderr_tail.decode(errors="replace").strip().splitlines())

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    async def do(self, job: Job, on_progress: Callable[[Progress], None]) -> Outcome | None:
        """Send a job and wait for its outcome; None if the process ended first."""
        self._waiting = _Waiting(
            job.job_id, on_progress, asyncio.get_running_loop().create_future()
        )
        if self.gone.is_set():
            return None
        self._send(encode(job))
        return await self._waiting.outcome

    def cancel(self, job_id: int) -> None:
        """Ask the process to stop a job."""
        self._send(encode(Cancel(job_id=job_id)))

    def bound(self, limits: TrainerLimits) -> None:
        """Let these limits hold from the next batch on."""
        bounds = Bounds(
            cpu_percent=limits.cpu_percent,
            num_threads=limits.num_threads,
            memory_mb=limits.memory_mb,
            device=limits.device,
        )
        self._send(encode(bounds))

    def let_go(self) -> None:
        """Close stdin, upon which the process ends by itself."""
        self._expected = True
        if self._process.stdin is not None:
            self._process.stdin.close()

    def kill(self) -> None:
        """End the process now. Harmless when it is gone."""
        self._expected = True
        if self._process.returncode is None:
            _kill_session(self.pid)

    def _send(self, line: bytes) -> None:
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(line)

    async def _live(self) -> None:
        try:
            await asyncio.gather(self._read_replies(), self._read_stderr())
        finally:
            if self._process.returncode is None:
                _kill_session(self.pid)
            status = await self._process.wait()
            cause = self._complaint or _cause(status, self._stderr_tail)
            self._on_end(None if self._expected else cause)
            self.gone.set()
            self.ready.set()
            if self._waiting is not None and not self._waiting.outcome.done():
                self._waiting.outcome.set_result(None)

    async def _read_replies(self) -> None:
        stdout = self._process.stdout
        if stdout is None:
            return
        while True:
            try:
                line = await stdout.readline()
                if not line:
                    return
                reply = decode_reply(line)
            except (msgspec.DecodeError, ValueError):  # ValueError: longer than the limit
                self._complaint = "the trainer was stopped: it wrote a line that is no reply"
                _kill_session(self.pid)
                return
            waiting = self._waiting
            if isinstance(reply, Ready):
                self.ready.set()
            elif waiting is None or reply.job_id != waiting.job_id:
                continue  # a job that nobody waits for any more
            elif isinstance(reply, Progress):
                waiting.on_progress(reply)
            elif not waiting.outcome.done():
                if isinstance(reply, JobFailed) and reply.kind == "memory":
                    self.kill()  # what it holds is not to be kept; the reply says why it ended
                waiting.outcome.set_result(reply)

    async def _read_stderr(self) -> None:
        stderr = self._process.stderr
        while stderr is not None and (chunk := await stderr.read(4096)):
            self._stderr_tail = (self._stderr_tail + chunk)[-_STDERR_TAIL:]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Who waits for a job's outcome."""

    job_id: int
    on_progress: Callable[[Progress], None]
    outcome: asyncio.Future[Outcome | None]


class _Protocol(asyncio.subprocess.SubprocessStreamProtocol):
    """Streams as usual; when the process exits, what it left running goes too."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=limit, loop=loop)
        self._pid: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if isinstance(transport, asyncio.SubprocessTransport):
            self._pid = transport.get_pid()

    def process_exited(self) -> None:
        super().process_exited()
        if self._pid is not None:
            _kill_session(self._pid)


def _kill_session(pid: int) -> None:
    """Kill the process and all that it started. Not by `Process.kill`.

    That first polls, which takes a status that asyncio then misses and reports as 255.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _environment(num_threads: int) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == OWN_VARIABLE or not name.startswith("FEDTUI_")
    }
    return kept | dict.fromkeys(_THREAD_VARIABLES, str(num_threads))


def _cause(status: int, stderr_tail: bytes) -> str:
    """Why a process ended that nobody asked to end."""
    if status < 0:
        hint = " (out of memory?)" if -status == signal.SIGKILL else ""
        return f"the trainer was killed by signal {-status}{hint}"
    if status == EXIT_MEMORY:
        return "the trainer went over its memory limit"
    lines = stderr_tail.decode(errors="replace").strip().splitlines()
    last = f": {lines[-1][:200]}" if lines else ""
    return f"the trainer ended by itself with status {status}{last}"
