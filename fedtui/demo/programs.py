"""Runs fedtui's own commands, and keeps the long-running ones: started here, stopped here.

Every long-running program is in a session of its own, so that Ctrl-C reaches the demo alone and
the demo ends them in order. Only what was started here is ever signalled, by its process id.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fedtui.errors import ExitCode, FedtuiError

START_S = 60.0
STOP_S = 10.0
LOOK_S = 0.02
COMMANDS = {"fedtui": "node", "fedtui-coordinator": "coordinator"}


class ProgramError(FedtuiError):
    """A command of ours failed; the message is its own last words."""

    exit_code = ExitCode.UNAVAILABLE


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

    async def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a command to its end and return what it printed. Raises ProgramError."""
        process = await asyncio.create_subprocess_exec(
            *argv_of(command),
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **self.environment},
            start_new_session=True,
        )
        try:
            given = None if stdin is None else stdin.encode()
            out, err = await process.communicate(given)
        except asyncio.CancelledError:
            if process.returncode is None:
                process.kill()
                await process.wait()
            raise
        if process.returncode:
            words = err.decode(errors="replace").strip() or out.decode(errors="replace").strip()
            raise ProgramError(last_words(words, command[0]))
        return out.decode()

    async def start(self, name: str, *command: str) -> Program:
        """Start a program of ours that stays."""
        return await self.start_argv(name, *argv_of(command))

    async def start_argv(self, name: str, *argv: str) -> Program:
        """Start a program that stays; what it prints goes to `<folder>/<name>.log`."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
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
                raise ProgramError(f"{program.name} did not start: {said[-2000:]}")
            await asyncio.sleep(LOOK_S)

    async def restart_dead(self) -> list[Program]:
        """Start again whatever ended although nobody asked it to; returns what had ended."""
        dead = [p for p in self.started.values() if not p.running]
        for program in dead:
            await self.start_argv(program.name, *program.argv)
        return dead

    async def stop(self) -> None:
        """End everything that was started: asked first, then by force."""
        running = [p for p in self.started.values() if p.running]
        for program in running:
            program.process.send_signal(signal.SIGTERM)
        waits = [asyncio.create_task(p.process.wait()) for p in running]
        if waits:
            _, pending = await asyncio.wait(waits, timeout=STOP_S)
            for program in running:
                if program.running:
                    program.process.kill()
            if pending:
                await asyncio.wait(pending)
        self.started.clear()
