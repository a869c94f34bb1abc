"""Starting the daemon: found if it runs, started if not, its last words said if it ends."""

import asyncio
import fcntl
import os
import sys
from pathlib import Path

import pytest
from fake_node import FakeNode

from fedtui.status import Refused
from node import launch
from node.paths import Profile


def program(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def test_a_running_node_is_left_alone(running: FakeNode, home: Profile) -> None:
    assert await launch.is_running(home)
    assert not await launch.ensure_running(home)


async def test_the_daemons_last_words_and_code_are_passed_on(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "print('2026-01-01 00:00:00 error: identity.key is locked'); raise SystemExit(77)"
    monkeypatch.setattr(launch, "command", lambda *_: program(code))
    with pytest.raises(Refused) as refusal:
        await launch.ensure_running(home)
    assert "identity.key is locked" in refusal.value.text
    assert refusal.value.exit_code == 77
    assert str(home.log) in refusal.value.remedy


async def test_K2_a_passphrase_goes_through_stdin_only(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import sys; print('argv', sys.argv, 'stdin', sys.stdin.readline()); sys.exit(1)"
    monkeypatch.setattr(launch, "command", lambda name, *options: [*program(code), *options])
    with pytest.raises(Refused):
        await launch.ensure_running(home, "hush")
    said = home.log.read_text()
    assert "--passphrase-stdin" in said
    assert "stdin hush" in said
    assert "hush" not in said.partition("stdin hush")[0].replace("passphrase", "")


async def test_a_node_that_another_command_just_started_is_waited_for(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "command", lambda *_: program("raise SystemExit(73)"))
    monkeypatch.setattr(launch, "START_S", 1.0)
    lock = os.open(home.lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(Refused) as refusal:
        await launch.ensure_running(home)
    assert refusal.value.exit_code == 75, "not the 73 of the one that came too late"
    os.close(lock)


def test_the_command_does_not_import_from_where_it_is_started() -> None:
    assert launch.command("p", "--log")[1:5] == ["-P", "-m", "node.daemon", "--profile"]


async def test_stopping_waits_until_the_profile_is_free(
    home: Profile, running: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = os.open(home.lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    stopping = asyncio.create_task(launch.stop(home))
    while not running.stopped:  # noqa: ASYNC110 - it is another thread
        await asyncio.sleep(0.001)
    assert not stopping.done()
    os.close(lock)
    await stopping
    monkeypatch.setattr(launch, "STOP_S", 0.01)
    lock = os.open(home.lock, os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(Refused) as refusal:
        await launch.gone(home)
    assert refusal.value.exit_code == 75
    os.close(lock)


async def test_gone_without_a_lock_is_gone(tmp_path: Path) -> None:
    await launch.gone(Profile("x", tmp_path / "none"))
