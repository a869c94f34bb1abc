import errno
from pathlib import Path

import pytest

from coordinator.files import DISK, StoreFatal, StoreUnavailable, outcomes, said
from fedtui.errors import ExitCode


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_L5_a_full_or_readonly_disk_is_a_matter_of_waiting(code: int) -> None:
    found = said(OSError(code, "why", "spool/1"))
    assert isinstance(found, StoreUnavailable)
    assert "spool/1" in str(found)
    assert found.exit_code == ExitCode.TRY_LATER


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_L5_a_failed_sync_is_fatal_whatever_its_reason(code: int) -> None:
    with pytest.raises(StoreFatal), outcomes(syncing=True):
        raise OSError(code, "why")


def test_an_erring_disk_is_fatal() -> None:
    with pytest.raises(StoreFatal), outcomes():
        raise OSError(errno.EIO, "why")


def test_files_are_private_and_written_whole(tmp_path: Path) -> None:
    handle = DISK.create(tmp_path / "a")
    DISK.write(handle, memoryview(bytearray(range(8))))
    assert DISK.pread(handle, 100, 6) == b"\x06\x07"
    DISK.sync(handle)
    DISK.close(handle)
    handle = DISK.append(tmp_path / "a")
    DISK.write(handle, b"more")
    DISK.close(handle)
    DISK.rename(tmp_path / "a", tmp_path / "b")
    DISK.sync_directory(tmp_path)
    assert DISK.names(tmp_path) == ["b"]
    assert DISK.size(tmp_path / "b") == 12
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    DISK.remove(tmp_path / "b")
    DISK.remove(tmp_path / "b")


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for attempt in (DISK.create, DISK.append, DISK.read):
        with pytest.raises(StoreFatal):
            attempt(tmp_path / "link")
    assert (tmp_path / "real").read_bytes() == b"precious"


def test_a_directory_is_private(tmp_path: Path) -> None:
    DISK.make_directory(tmp_path / "d")
    DISK.make_directory(tmp_path / "d")
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o700
