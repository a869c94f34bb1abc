"""Programs that the demo starts: found when they answer, told when they fail, stopped for sure."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from fedtui.demo.programs import ProgramError, Programs, argv_of, last_words, together


@pytest.fixture
async def programs(tmp_path: Path) -> AsyncIterator[Programs]:
    found = Programs(tmp_path, {"FEDTUI_TEST": "seen"})
    yield found
    await found.stop()


STAYS = "import os, time; print('up', os.environ['FEDTUI_TEST'], flush=True); time.sleep(60)"
DEAF = (
    "import signal, time; signal.signal(15, signal.SIG_IGN);"
    " print('up', flush=True); time.sleep(60)"
)


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands are Python code."""

    def argv(command: Sequence[str]) -> list[str]:
        return [sys.executable, "-c", command[0]]

    monkeypatch.setattr("fedtui.demo.programs.argv_of", argv)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def contents(path: Path) -> str:
    """What a program writes into a file, once it did."""
    while not (path.exists() and path.read_text().endswith("\n")):
        time.sleep(0.01)
    return path.read_text()


def wait_until_gone(pid: int) -> None:
    """The kernel takes a moment."""
    while not is_gone(pid):
        time.sleep(0.01)


PARENT = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path({path!r}).write_text(f"{{child.pid}}\\n")
time.sleep(60)
"""
TIDY = """
import pathlib, time
try:
    pathlib.Path({path!r}).write_text("up\\n")
    time.sleep(60)
finally:
    pathlib.Path({path!r}).write_text("tidied up\\n")
"""


def test_commands_run_with_this_interpreter() -> None:
    assert argv_of(["fedtui", "status"]) == [sys.executable, "-m", "node", "status"]


async def test_a_program_is_ready_when_it_says_so_and_gets_the_environment(
    programs: Programs,
) -> None:
    program = await programs.start_argv("one", sys.executable, "-c", STAYS)
    await programs.ready(program, "up")
    assert program.log.read_text() == "up seen\n"
    assert program.running


async def test_a_program_that_dies_at_once_is_told_with_its_last_words(programs: Programs) -> None:
    words = "import sys; sys.exit('no such port')"
    program = await programs.start_argv("one", sys.executable, "-c", words)
    with pytest.raises(ProgramError, match="no such port"):
        await programs.ready(program, "up")


async def test_what_died_is_started_again_and_only_that(programs: Programs) -> None:
    stays = await programs.start_argv("stays", sys.executable, "-c", STAYS)
    dies = await programs.start_argv("dies", sys.executable, "-c", STAYS)
    await programs.ready(dies, "up")
    dies.process.kill()
    await dies.process.wait()
    assert await programs.restart_dead() == [dies]
    assert programs.started["dies"].running
    assert programs.started["stays"] is stays


async def test_stop_ends_also_who_does_not_listen(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedtui.demo.programs.STOP_S", 0.1)
    program = await programs.start_argv("deaf", sys.executable, "-c", DEAF)
    await programs.ready(program, "up")
    await programs.stop()
    assert not program.running
    assert programs.started == {}


async def test_a_command_that_fails_raises_its_own_words(programs: Programs) -> None:
    with pytest.raises(ProgramError, match="No such command"):
        await programs.run("fedtui", "no-such-command")


async def test_a_failed_command_keeps_its_exit_status(programs: Programs, scripts: None) -> None:
    for code, status in ((65, 65), (78, 78), (1, 69), (255, 69)):
        with pytest.raises(ProgramError) as caught:
            await programs.run(f"import sys; sys.exit({code})")
        assert caught.value.status == status


def test_advice_takes_the_place_of_the_commands_own() -> None:
    error = ProgramError("fedtui: no data\nwhat to do: fedtui join --data PATH", status=65)
    advised = error.advising("fedtui-demo --data FOLDER")
    assert str(advised) == "fedtui: no data\nwhat to do: fedtui-demo --data FOLDER"
    assert advised.status == 65


async def test_a_cancelled_command_ends_with_all_that_it_started(
    programs: Programs, scripts: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedtui.demo.programs.BRIEFLY_S", 0.1)
    path = tmp_path / "pid"
    running = asyncio.create_task(programs.run(PARENT.format(path=str(path))))
    child = int(await asyncio.to_thread(contents, path))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.to_thread(wait_until_gone, child)


async def test_a_cancelled_command_may_tidy_up(
    programs: Programs, scripts: None, tmp_path: Path
) -> None:
    path = tmp_path / "said"
    running = asyncio.create_task(programs.run(TIDY.format(path=str(path))))
    await asyncio.to_thread(contents, path)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert path.read_text() == "tidied up\n"


async def test_whoever_is_cancelled_while_a_process_starts_leaves_none(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[asyncio.subprocess.Process] = []
    up, go_on = asyncio.Event(), asyncio.Event()
    create = asyncio.create_subprocess_exec

    async def slowly(*argv: str, **options: object) -> asyncio.subprocess.Process:
        made.append(await create(*argv, **options))  # type: ignore[arg-type]  # handed on
        up.set()
        await go_on.wait()
        return made[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", slowly)
    starting = asyncio.create_task(programs.start_argv("one", sys.executable, "-c", STAYS))
    await up.wait()
    starting.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert made[0].returncode is not None
    assert programs.started == {}


async def test_no_status_is_taken_from_asyncio(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Popen's own ways to signal poll first; asyncio then reports 255 and an unknown child."""
    monkeypatch.setattr("fedtui.demo.programs.STOP_S", 0.1)
    program = await programs.start_argv("deaf", sys.executable, "-c", DEAF)
    await programs.ready(program, "up")

    def taken(*_: object) -> None:
        raise AssertionError("polled")

    monkeypatch.setattr(subprocess.Popen, "send_signal", taken)
    await programs.stop()
    assert program.process.returncode == -9


async def test_lines_come_one_by_one_and_their_program_ends_with_the_listener(
    programs: Programs, scripts: None
) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    async with aclosing(programs.lines(code)) as lines:
        pid = int(await anext(lines))
        assert not is_gone(pid)
    assert is_gone(pid)


async def test_of_works_together_the_first_failure_is_raised_when_all_have_stopped() -> None:
    stopped = []

    async def fails() -> None:
        raise ProgramError("no such port", status=65)

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            stopped.append(True)

    with pytest.raises(ProgramError, match="no such port"):
        await together(waits(), fails())
    assert stopped == [True]
    assert await together(asyncio.sleep(0, 1), asyncio.sleep(0, 2)) == [1, 2]


def test_the_last_words_of_a_command_begin_with_its_name() -> None:
    said = "a plan of many lines\nfedtui: no such split\nwhat to do: mend that"
    assert last_words(said, "fedtui") == "fedtui: no such split\nwhat to do: mend that"
    assert last_words("Usage: ...", "fedtui") == "fedtui failed: Usage: ..."
