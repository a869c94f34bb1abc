"""Programs that the demo starts: found when they answer, told when they fail, stopped for sure."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fedtui.demo.programs import ProgramError, Programs, argv_of, last_words


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


def test_the_last_words_of_a_command_begin_with_its_name() -> None:
    said = "a plan of many lines\nfedtui: no such split\nwhat to do: mend that"
    assert last_words(said, "fedtui") == "fedtui: no such split\nwhat to do: mend that"
    assert last_words("Usage: ...", "fedtui") == "fedtui failed: Usage: ..."
