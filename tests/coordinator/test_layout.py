import os
import stat
from pathlib import Path

import pytest

from coordinator import layout as layout_module
from coordinator.layout import MAX_SOCKET_PATH_BYTES, Layout, directory, socket_path
from coordinator.refusals import NoPermissionError


def test_the_directory_is_given_or_from_the_environment_or_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FEDTUI_COORDINATOR_DIR", raising=False)
    assert directory(None) == tmp_path / "federation"
    monkeypatch.setenv("FEDTUI_COORDINATOR_DIR", "/srv/f")
    assert directory(None) == Path("/srv/f")
    assert directory(Path("here")) == tmp_path / "here"
    assert directory(Path("~/x")) == Path.home() / "x"


def test_a_socket_path_always_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    for length in range(60, 140):
        root = Path("/") / ("d" * length)
        path = socket_path(Layout(root))
        assert len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES
        assert (path.parent == root) == (len(os.fsencode(root / "admin.sock")) <= 107)
    other = socket_path(Layout(Path("/") / ("e" * 139)))
    assert other != path
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_runtime_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o755)
    open_to_all.chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(open_to_all))
    with pytest.raises(NoPermissionError, match="only you can enter"):
        socket_path(Layout(Path("/") / ("d" * 130)))
    monkeypatch.setattr(layout_module.os, "getuid", lambda: os.geteuid() + 1)
    open_to_all.chmod(0o700)
    with pytest.raises(NoPermissionError):
        socket_path(Layout(Path("/") / ("d" * 130)))


def test_everything_lies_below_the_root() -> None:
    layout = Layout(Path("/srv/f"))
    for name in ("config", "plan", "manifest", "identity", "state", "checkpoints", "spool"):
        assert Path("/srv/f") in getattr(layout, name).parents
