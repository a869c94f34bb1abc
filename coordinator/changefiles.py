"""Changes from model to model, as one file beside each of the newest models.

    change-000012.bin    leads from the model after round 11 to that after 12 (fedtui/wire/changes)

A change is synced and renamed before the commit that names its model, and names both models: one
of an attempt that a crash undid is never sent. A lost one costs a node the whole model, so nothing
is said of it, and backups leave them out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coordinator.files import DISK, Files, StoreError
from coordinator.halffile import HalfFile
from fedtui.wire.changes import DIGEST_BYTES, HEADER, MAGIC

PATTERN = re.compile(r"change-(\d{6,})\.bin")


def change_name(round_: int) -> str:
    """The file of the change that leads to the model after this round."""
    return f"change-{round_:06d}.bin"


class ChangeWriter:
    """Writes one change, piece by piece. Slow: use it in a thread."""

    def __init__(self, directory: Path, round_: int, *, files: Files = DISK) -> None:
        """Begin NAME.tmp in `directory`."""
        self._half = HalfFile(directory / change_name(round_), files=files)

    def write(self, data: bytes) -> None:
        """Append bytes. Raises StoreUnavailable, StoreFatal; then `abandon`."""
        self._half.write(data)

    def finish(self, model: bytes) -> None:
        """End it with the model's digest, sync, and put the file under its name."""
        self._half.write(model)
        self._half.finish()

    def abandon(self) -> None:
        """Remove what was written; nothing happens after `finish`."""
        self._half.abandon()


@dataclass(frozen=True, slots=True)
class ChangeFile:
    """An open change: from the model with digest `base`, in `num_bytes`. Whoever has it closes."""

    handle: int
    base: bytes
    num_bytes: int


def open_change(path: Path, model: bytes, *, files: Files = DISK) -> ChangeFile | None:
    """The change that leads to the model with this digest; None if it is not there, or another."""
    try:
        num_bytes, handle = files.size(path), files.read(path)
    except StoreError:
        return None
    try:
        head = files.pread(handle, HEADER.size, 0)
        tail = files.pread(handle, DIGEST_BYTES, max(0, num_bytes - DIGEST_BYTES))
    except StoreError:
        head = tail = b""
    if len(head) == HEADER.size and head.startswith(MAGIC) and tail == model:
        return ChangeFile(handle, HEADER.unpack(head)[-1], num_bytes)
    files.close(handle)
    return None


def leftovers(names: Sequence[str], newest: int, *, keep: int) -> list[str]:
    """Which of these files are changes to models older than the `keep` newest rounds."""
    return [
        name
        for name in names
        if (found := PATTERN.fullmatch(name)) and int(found[1]) <= newest - keep
    ]
