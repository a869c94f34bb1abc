import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from fedtui.experiments import disk
from fedtui.experiments.disk import DamagedError, DiskError, RunFolderError


def test_what_is_written_replaces_what_was_there_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model"
    disk.write_whole(path, b"one")
    disk.write_whole(path, memoryview(b"another"))
    assert path.read_bytes() == b"another"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_keeps_what_was_there_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "model"
    disk.write_whole(path, b"one")
    real = os.write

    def full(handle: int, data: memoryview) -> int:
        if len(data) < 5:
            raise OSError(number, os.strerror(number))
        return real(handle, data[:4])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskError, match=r"model: the disk is full; make room and run again"):
        disk.write_whole(path, b"another")
    assert path.read_bytes() == b"one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_a_limit_of_file_size_is_a_full_disk_too(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fedtui.experiments import disk\n"
        "try: disk.write_whole(Path(sys.argv[1]), bytes(100_000))\n"
        "except disk.DiskError as error: print(error)"
    )
    path = tmp_path / "model"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert "the disk is full" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_another_error_says_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="No such file or directory"):
        disk.write_whole(tmp_path / "none" / "model", b"")


def test_reading_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(10))
    assert disk.read_bounded(path, 10) == bytes(10)
    with pytest.raises(DamagedError, match="more than 9 bytes"):
        disk.read_bounded(path, 9)
    with pytest.raises(RunFolderError, match="cannot be read: Is a directory"):
        disk.read_bounded(tmp_path, 9)
