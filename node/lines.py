"""A file of JSON lines that only grows: each line is on disk before `append` returns.

After `kill -9` the last line may be torn: it is cut off when the file is opened next, because
nobody heard of what it announced (that is said only after the sync). A damaged line in the middle
stays where it is and reads as None.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, TypeVar

import msgspec

from node.paths import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINE_BYTES = 64 * 1024
T = TypeVar("T")


class Lines:
    """The open file; one process writes it. `torn_bytes` is what the last run left behind.

    Not `synced`, a power cut may take the last lines away: for what nobody else relies on.
    """

    def __init__(self, path: Path, *, synced: bool = True) -> None:
        self._synced = synced
        self.torn_bytes = _cut_torn_line(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        sync_folder(path.parent)

    def append(self, line: bytes) -> None:
        """Write and sync. Raises OSError if it is not on disk; then no trace of it is left."""
        size = os.fstat(self._file).st_size
        try:
            _write_all(self._file, line + b"\n")
            if self._synced:
                _sync(self._file)
        except OSError:
            os.ftruncate(self._file, size)
            raise

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def read(path: Path, decoder: msgspec.json.Decoder[T]) -> Iterator[T | None]:
    """Every line, oldest first; None for one that cannot be read."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, ValueError):
                yield None


_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def _write_all(descriptor: int, line: bytes) -> None:
    if os.write(descriptor, line) != len(line):
        raise OSError(errno.ENOSPC, "no space left on the disk")


def _cut_torn_line(path: Path) -> int:
    """Remove what follows the last newline; return how many bytes that was."""
    try:
        file = path.open("r+b")
    except FileNotFoundError:
        return 0
    with file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - MAX_LINE_BYTES)
        file.seek(start)
        end = file.read()
        torn = len(end) - (end.rfind(b"\n") + 1)
        if torn:
            file.truncate(size - torn)
            os.fsync(file.fileno())
        return torn
