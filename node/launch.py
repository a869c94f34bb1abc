"""Starting the daemon in the background and finding it again.

It gets a session of its own, so that closing the terminal does not end it, and its own folder as
working directory. `-P` keeps the caller's directory out of its import path.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from fedtui.control.client import ControlClient, NotRunningError
from node.exits import MEANING, Exit, Stop

if TYPE_CHECKING:
    from node.paths import Profile

START_S = 30.0
STOP_S = 20.0
_POLL_S = 0.05
_TAIL_BYTES = 4096
_FIRST: dict[int, str] = {Exit.IO: "free some space, then "}


def command(name: str, *options: str) -> list[str]:
    """The command line of a profile's daemon."""
    return [sys.executable, "-P", "-m", "node.daemon", "--profile", name, *options]


async def is_running(home: Profile) -> bool:
    try:
        await ControlClient(home.control()).hello()
    except NotRunningError:
        return False
    return True


async def ensure_running(home: Profile, secret: str | None = None) -> bool:
    """Start the daemon unless one answers; True if it was started. Raises Stop if it ends."""
    if await is_running(home):
        return False
    process = _start(home, secret)
    try:
        async with asyncio.timeout(START_S):
            await _until_it_answers(home, process)
    except TimeoutError as error:
        raise Stop(
            f"the node does not answer within {START_S:.0f} s",
            remedy=f"look into {home.log}",
            exit_code=Exit.TRY_LATER,
        ) from error
    process.returncode = 0  # it is on its own now: no warning that nobody waited for it
    return True


async def _until_it_answers(home: Profile, process: subprocess.Popen[bytes]) -> None:
    while not await is_running(home):
        code = process.poll()
        if code is not None and not _is_locked(home):  # locked: another one is on its way up
            raise Stop(
                f"the node did not start: {_last_words(home) or _meaning(code)}",
                remedy=f"{_FIRST.get(code, '')}look into {home.log}",
                exit_code=code if code > 0 else Exit.FAILED,
            )
        await asyncio.sleep(_POLL_S)


async def stop(home: Profile) -> None:
    """Ask the daemon to stop, and wait until it has."""
    await ControlClient(home.control()).stop()
    await gone(home)


async def gone(home: Profile) -> None:
    """Wait until the daemon has let go of the profile. Raises Stop if it does not."""
    try:
        async with asyncio.timeout(STOP_S):
            while _is_locked(home):  # noqa: ASYNC110 - another process tells us nothing
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        raise Stop(
            f"the node does not end within {STOP_S:.0f} s",
            remedy=f"look into {home.log}; its process id is in 'fedtui status'",
            exit_code=Exit.TRY_LATER,
        ) from error


def _start(home: Profile, secret: str | None) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    if environment.get("FEDTUI_HOME"):
        environment["FEDTUI_HOME"] = str(home.root.parent)
    options = ("--log", "--passphrase-stdin") if secret else ("--log",)
    log = os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            command(home.name, *options),
            stdin=subprocess.PIPE if secret else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home.root,
            env=environment,
            start_new_session=True,
        )
    finally:
        os.close(log)
    if secret and process.stdin is not None:
        process.stdin.write(f"{secret}\n".encode())
        process.stdin.close()
    return process


def _is_locked(home: Profile) -> bool:
    """Whether a daemon still holds the profile."""
    import fcntl  # noqa: PLC0415 - not on every platform, and needed here only

    try:
        lock = os.open(home.lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _meaning(code: int) -> str:
    return next((text for status, text in MEANING.items() if status == code), "it said nothing")


def _last_words(home: Profile) -> str:
    """What the daemon said last, without the time."""
    try:
        with home.log.open("rb") as file:
            file.seek(max(0, home.log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except FileNotFoundError:
        return ""
    found = next((line for line in reversed(lines) if " error: " in line), "")
    return found.partition(" error: ")[2] or (lines[-1] if lines else "")
