"""The daemon as a process: one a profile, clean lines, exit codes; the rest is in loopback."""

import fcntl
import os
import stat
from pathlib import Path

import pytest

from node import daemon, keystore, launch
from node.paths import Profile


@pytest.fixture(autouse=True)
def _not_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "harden", lambda: None)


def test_a_second_daemon_of_a_profile_is_refused(
    home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = os.open(home.lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert daemon.run("p") == 73
    assert "running already" in capsys.readouterr().out
    os.close(lock)


def test_K1_a_key_that_others_can_read_is_refused(
    home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    keystore.load_or_create(home.root)
    before = home.identity.read_bytes()
    home.identity.chmod(0o644)
    assert daemon.run("p") == 77
    assert "identity.key" in capsys.readouterr().out
    assert home.identity.read_bytes() == before


def test_a_mistake_in_node_toml_is_said_with_its_line(
    home: Profile, capsys: pytest.CaptureFixture[str]
) -> None:
    home.config.write_text("label = 'a'\nrole = 'king'\n")
    assert daemon.run("p") == 2
    assert "line 2" in capsys.readouterr().out


def test_into_a_file_nothing_is_printed(home: Profile, capsys: pytest.CaptureFixture[str]) -> None:
    home.config.write_text("role = 3\n")
    assert daemon.run("p", into_file=True) == 2
    assert capsys.readouterr().out == ""
    assert "error: " in home.log.read_text()


def test_a_bug_keeps_its_traceback(home: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise KeyError("bug")

    monkeypatch.setattr(daemon, "_lock", broken)
    with pytest.raises(KeyError):
        daemon.run("p")


def test_arguments_reach_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def run(name: str, **options: object) -> int:
        seen.append((name, options))
        return 6

    monkeypatch.setattr(daemon, "run", run)
    with pytest.raises(SystemExit) as ended:
        daemon.main(["--profile", "x", "--log"])
    assert ended.value.code == 6
    assert seen == [("x", {"into_file": True, "secret": None})]


async def test_a_daemon_is_found_from_a_session_with_other_variables(
    home: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd, cron and sudo set no XDG_RUNTIME_DIR; a login shell does."""
    runtime = os.environ["XDG_RUNTIME_DIR"]
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert await launch.ensure_running(home)
    try:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        assert home.control() != home.socket()
        assert await launch.is_running(home)
        assert stat.S_IMODE(home.socket_note.stat().st_mode) == 0o600
    finally:
        await launch.stop(home)
    assert not home.socket_note.exists()
    assert home.control() == home.socket()
