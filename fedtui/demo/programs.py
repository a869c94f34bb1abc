"""Runs fedtui's own commands, and keeps the long-running ones: started here, stopped here.

Every long-running program is in a session of its own, so that Ctrl-C reaches the demo alone and
the demo ends them in order. Only what was started here is ever signalled, by its process id.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from fedtui.errors import ExitCode, FedtuiError

START_S = 60.0
STOP_S = 10.0
BRIEFLY_S = 3.0  # for a command to tidy up after itself
LOOK_S = 0.02
MAX_LINE_BYTES = 2**24
ADVICE = "what to do: "  # how our commands begin the line with their remedy
COMMANDS = {"fedtui": "node", "fedtui-coordinator": "coordinator"}


class ProgramError(FedtuiError):
    """A command of ours failed; the message is its own last words, `status` its exit status."""

    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, message: str, *, status: int | None = None) -> None:
        """Without a status of its own, or with one that means something else here: 69."""
        super().__init__(message)
        own = status is not None and 1 < status < 126  # 1 is "the target was not reached"
        self.status = status if own and status is not None else int(self.exit_code)

    def advising(self, remedy: str) -> "ProgramError":
        """The same, with what a user of the demo can do in the place of the command's remedy."""
        lines = [line for line in str(self).splitlines() if not line.startswith(ADVICE)]
        return ProgramError("\n".join([*lines, f"{ADVICE}{remedy}"]), status=self.status)


def argv_of(command: Sequence[str]) -> list[str]:
    """The command as this interpreter runs it, whatever PATH says."""
    name, *arguments = command
    return [sys.executable, "-m", COMMANDS[name], *arguments]


def last_words(said: str, name: str) -> str:
    """Why a command failed: from its own "NAME: ..." line on, or all that it said."""
    lines = said.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(f"{name}: ")]
    return "\n".join(lines[starts[-1] :]) if starts else f"{name} failed: {said}"


@dataclass(slots=True)
class Program:
    """A long-running program and the file that holds what it prints."""

    name: str
    argv: Sequence[str]
    log: Path
    process: asyncio.subprocess.Process

    @property
    def running(self) -> bool:
        return self.process.returncode is None


@dataclass(slots=True)
class Programs:
    """All programs of one demo; `environment` is added to the demo's own."""

    folder: Path
    environment: Mapping[str, str]
    started: dict[str, Program] = field(default_factory=dict)

    async def run(self, *command: str) -> str:
        """Run a command of ours to its end and return what it printed. Raises ProgramError."""
        process = await self._spawn(
            argv_of(command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            out, err = await process.communicate()
        except asyncio.CancelledError:
            await _end(process, signal.SIGINT, BRIEFLY_S)
            raise
        if process.returncode:
            words = err.decode(errors="replace").strip() or out.decode(errors="replace").strip()
            raise ProgramError(last_words(words, command[0]), status=process.returncode)
        return out.decode()

    async def lines(self, *command: str) -> AsyncGenerator[str, None]:
        """The lines that a command of ours prints, until it ends or nobody wants more."""
        process = await self._spawn(
            argv_of(command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            if process.stdout is not None:
                async for line in process.stdout:
                    yield line.decode()
        finally:
            await _end(process, signal.SIGTERM, BRIEFLY_S)

    async def _spawn(
        self, argv: Sequence[str], *, stdout: int | IO[bytes], stderr: int | IO[bytes]
    ) -> asyncio.subprocess.Process:
        """Start a process in a session of its own; whoever is cancelled meanwhile leaves none."""
        spawning = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                limit=MAX_LINE_BYTES,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        )
        try:
            return await asyncio.shield(spawning)
        except asyncio.CancelledError:
            await _end(await spawning, signal.SIGINT, BRIEFLY_S)
            raise

    async def start(self, name: str, *command: str) -> Program:
        """Start a program of ours that stays."""
        return await self.start_argv(name, *argv_of(command))

    async def start_argv(self, name: str, *argv: str) -> Program:
        """Start a program that stays; what it prints goes to `<folder>/<name>.log`."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as out:
            process = await self._spawn(argv, stdout=out, stderr=out)
        program = Program(name, argv, log, process)
        self.started[name] = program
        return program

    async def ready(self, program: Program, word: str, *, patience_s: float = START_S) -> None:
        """Wait until the program has printed `word`, which it does once it answers commands."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience_s
        while word not in program.log.read_text(encoding="utf-8", errors="replace"):
            if not program.running or loop.time() > until:
                said = program.log.read_text(encoding="utf-8", errors="replace").strip()
                raise ProgramError(
                    f"{program.name} did not start: {said[-2000:]}",
                    status=program.process.returncode,
                )
            await asyncio.sleep(LOOK_S)

    async def restart_dead(self) -> list[Program]:
        """Start again whatever ended although nobody asked it to; returns what had ended."""
        dead = [p for p in self.started.values() if not p.running]
        for program in dead:
            await self.start_argv(program.name, *program.argv)
        return dead

    async def stop(self) -> None:
        """End everything that was started: asked first, then by force."""
        running = [p.process for p in self.started.values() if p.running]
        await asyncio.gather(*(_end(process, signal.SIGTERM, STOP_S) for process in running))
        self.started.clear()


async def together(*works: Coroutine[Any, Any, Any]) -> list[Any]:
    """All of them at once. The first that fails is raised when the others were stopped as well."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


async def _end(
    process: asyncio.subprocess.Process, asked: signal.Signals, patience_s: float
) -> None:
    """Ask a process to end; what does not ends by force, with all that it started.

    Never by `Process.kill`: that first polls, which takes a status that asyncio then misses.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, asked)
    if not await _over(process, patience_s):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await _over(process, patience_s)


async def _over(process: asyncio.subprocess.Process, patience_s: float) -> bool:
    """Whether a process ended in time: for asyncio that is when its pipes are closed as well."""
    try:
        async with asyncio.timeout(patience_s):
            await process.communicate()
    except TimeoutError:
        return False
    return True
