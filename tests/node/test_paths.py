"""Where a profile lives: private, never somebody else's, with a socket short enough to bind."""

import os
import socket
import stat
from pathlib import Path

import pytest

from fedtui.status import Refused
from node import paths
from node.paths import MAX_SOCKET_PATH, Profile, private_folder, profile, write_atomically


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "x" * 49, "a b", "a\n", "-x"])
def test_names_that_could_leave_the_home_are_refused(name: str) -> None:
    with pytest.raises(Refused) as refusal:
        profile(name)
    assert refusal.value.exit_code == 2


def test_the_home_is_the_variables_or_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEDTUI_HOME", str(tmp_path))
    assert profile("a").root == tmp_path / "a"
    monkeypatch.delenv("FEDTUI_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert profile("a").root == tmp_path / ".local" / "share" / "fedtui" / "a"


def test_K1_folders_are_made_private_and_must_stay_so(home: Profile) -> None:
    for folder in (home.root, home.models, home.work, home.tasks):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    home.create()
    home.models.chmod(0o750)
    with pytest.raises(Refused) as refusal:
        home.create()
    assert refusal.value.remedy == f"chmod 700 {home.models}"
    assert refusal.value.exit_code == 77


def test_a_file_or_link_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(Refused):
        private_folder(tmp_path / "link")


def test_sockets_of_two_homes_differ_and_can_be_bound(
    home: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = home.socket()
    monkeypatch.setenv("FEDTUI_HOME", str(tmp_path / "other"))
    second = profile("p").socket()
    assert first != second
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(first))


@pytest.mark.parametrize("runtime", ["", "/nonexistent/runtime", "long"])
def test_without_a_usable_runtime_folder_another_is_found(
    home: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    if runtime == "long":
        folder = tmp_path / ("x" * 100)
        folder.mkdir()
        runtime = str(folder)
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    monkeypatch.setattr(paths.tempfile, "gettempdir", lambda: str(tmp_path / ("t" * 90)))
    found = home.socket()
    assert len(os.fsencode(found)) <= MAX_SOCKET_PATH
    assert found.parent.name == f"fedtui-{os.getuid()}"


def test_a_write_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    write_atomically(path, b"old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def broken(self: Path, target: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="Input"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["f"]
