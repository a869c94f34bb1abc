"""What the coordinator asks of a disk, and what a disk can answer: done, not now, or never again.

`Files` is the whole file system as checkpoints and spool see it. The programs use DISK; tests put
a faithless one in its place, which forgets what was not synced. Three outcomes, everywhere:

- the call returns: what it promises is so;
- StoreUnavailable: nothing happened, the disk is full or read-only; the same may be tried later;
- StoreFatal: a sync failed or the disk erred. The kernel may drop the dirty pages and report
  success next time, so nothing is retried: the process stops and recovers at its next start.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from fedtui.errors import ExitCode, FedtuiError

Buffer = bytes | bytearray | memoryview
_LATER = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE}


class StoreError(FedtuiError):
    """What keeping things can raise; the text is a sentence for the operator."""

    exit_code = ExitCode.IO


class StoreUnavailable(StoreError):  # noqa: N818  the outcome reads as what it says
    """Nothing was written, and nothing may be acknowledged; it may work again later."""

    exit_code = ExitCode.TRY_LATER


class StoreFatal(StoreError):  # noqa: N818  as above
    """What is on disk is unknown until the next start has looked: the process must stop."""


class StoreConflict(StoreError):  # noqa: N818  as above
    """What was asked contradicts what is stored; nothing changed, others are not affected."""

    exit_code = ExitCode.FAILED


class StoreInUse(StoreConflict):
    """Another process has the store: the coordinator, or a command that is done in a moment."""


def said(error: OSError, *, syncing: bool = False) -> StoreError:
    """The outcome that an OSError means; a failed sync is fatal, whatever its reason."""
    what = error.filename or "the disk"
    text = f"{what}: {error.strerror or error}"
    if syncing:
        return StoreFatal(
            f"{what} could not be synced ({error.strerror}); what was written last may be lost: "
            "check the disk, then start the coordinator again"
        )
    if error.errno in _LATER:
        return StoreUnavailable(f"{text}; make room or make it writable, then it goes on")
    return StoreFatal(f"{text}; the coordinator has to stop, check the disk and start it again")


@contextmanager
def outcomes(*, syncing: bool = False) -> Iterator[None]:
    """Turn OSError into StoreUnavailable or StoreFatal."""
    try:
        yield
    except OSError as error:
        raise said(error, syncing=syncing) from error


class Files(Protocol):
    """A file system; handles are integers. All raise StoreUnavailable or StoreFatal."""

    def make_directory(self, path: Path) -> None:
        """A directory (0700) that survives a power loss; it is no error if it is there."""
        ...

    def create(self, path: Path) -> int:
        """An empty file (0600), whatever was there before."""
        ...

    def append(self, path: Path) -> int:
        """A handle that writes at the end of the file (0600), which may be new."""
        ...

    def read(self, path: Path) -> int: ...

    def write(self, handle: int, data: Buffer) -> None:
        """Write all of `data`."""
        ...

    def pread(self, handle: int, num_bytes: int, offset: int) -> bytes:
        """At most `num_bytes` from `offset`; fewer only at the end of the file."""
        ...

    def sync(self, handle: int) -> None:
        """Slow. What was written to the handle survives a power loss."""
        ...

    def close(self, handle: int) -> None: ...

    def rename(self, source: Path, target: Path) -> None:
        """Atomic; survives a power loss after `sync_directory` only."""
        ...

    def sync_directory(self, directory: Path) -> None: ...

    def remove(self, path: Path) -> None:
        """Remove a file; it is no error if there is none."""
        ...

    def names(self, directory: Path) -> list[str]: ...

    def size(self, path: Path) -> int: ...


class Disk:
    """The real one."""

    def make_directory(self, path: Path) -> None:
        with outcomes():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sync_directory(path.parent)

    def create(self, path: Path) -> int:
        with outcomes():
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(path, flags, 0o600)

    def append(self, path: Path) -> int:
        with outcomes():
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(path, flags, 0o600)

    def read(self, path: Path) -> int:
        with outcomes():
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def write(self, handle: int, data: Buffer) -> None:
        with outcomes():
            left = memoryview(data).cast("B")
            while left:
                left = left[os.write(handle, left) :]

    def pread(self, handle: int, num_bytes: int, offset: int) -> bytes:
        with outcomes():
            data = os.pread(handle, num_bytes, offset)
            while 0 < len(data) < num_bytes and (
                more := os.pread(handle, num_bytes - len(data), offset + len(data))
            ):
                data += more
            return data

    def sync(self, handle: int) -> None:
        with outcomes(syncing=True):
            os.fsync(handle)

    def close(self, handle: int) -> None:
        with outcomes():
            os.close(handle)

    def rename(self, source: Path, target: Path) -> None:
        with outcomes():
            source.rename(target)

    def sync_directory(self, directory: Path) -> None:
        with outcomes(syncing=True):
            handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def remove(self, path: Path) -> None:
        with outcomes():
            path.unlink(missing_ok=True)

    def names(self, directory: Path) -> list[str]:
        with outcomes():
            return sorted(entry.name for entry in directory.iterdir())

    def size(self, path: Path) -> int:
        with outcomes():
            return path.stat().st_size


DISK: Files = Disk()
