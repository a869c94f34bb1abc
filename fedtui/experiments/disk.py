"""What a run puts on disk is there whole or not at all, and a full disk is said as such.

    write NAME.tmp -> sync the file -> rename to NAME -> sync the directory

What is read back is bounded: a run's folder may come from anybody.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from fedtui.errors import ExitCode, OperatorError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
Buffer = bytes | bytearray | memoryview


class RunFolderError(OperatorError):
    """A run's folder cannot be used as it is; the text says why and what to do."""

    exit_code = ExitCode.CANNOT_CREATE


class DamagedError(RunFolderError):
    """A file of a run is not what it should be."""

    exit_code = ExitCode.BAD_DATA


class DiskError(OperatorError):
    """Something could not be written; nothing half-written stays. The run can be resumed."""

    exit_code = ExitCode.IO


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what a disk may answer into DiskError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskError(
                f"{path}: the disk is full; make room and run again: a run goes on at its "
                "last finished round"
            ) from error
        raise DiskError(
            f"{path}: cannot be written ({error.strerror or error}); mend that and run again: a "
            "run goes on at its last finished round"
        ) from error


def write_whole(path: Path, data: Buffer) -> None:
    """Slow: put `data` under this name; it survives a power loss. What was there is replaced.

    Raises:
        DiskError: the disk is full or erred; what was there before is still there.
    """
    half = path.with_name(f"{path.name}.tmp")
    with writing(path):
        try:
            _write_synced(half, data)
            half.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                half.unlink()
            raise
        sync_directory(path.parent)


def write_all(handle: int, data: Buffer) -> None:
    """Write every byte. Raises OSError."""
    left = memoryview(data).cast("B")
    while left:
        left = left[os.write(handle, left) :]


def sync_directory(directory: Path) -> None:
    """Names in it survive a power loss. Raises OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The file's bytes.

    Raises:
        RunFolderError: there is no such file, or it cannot be read.
        DamagedError: it has more than `max_bytes`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > max_bytes:
        raise DamagedError(f"{path}: has more than {max_bytes} bytes: no run wrote this")
    return data


def _write_synced(path: Path, data: Buffer) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags, 0o644)
    try:
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
