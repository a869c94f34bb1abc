"""What left this machine: one line of JSON an entry, synced before the bytes of the entry leave.

A file of lines and not a database, because the operator should be able to read the proof with any
tool, and because an append and an fdatasync are all that is asked of it. After `kill -9` the last
line may be torn: it is cut off at the next start and said, because what it announced cannot have
left (it is sent only after the sync). A damaged line in the middle is kept and counted.

Entries of kind `left` say what goes to the coordinator; `head` entries keep the signed heads of
the coordinator's audit chain, so that it cannot rewrite its history unnoticed.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Literal

import msgspec

from fedtui.status import LedgerLine
from node.paths import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY_S = 86_400.0
MAX_LINE_BYTES = 64 * 1024


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `at` is UTC seconds; `digest`, `hash` and `signature` are hex."""

    kind: Literal["left", "head"] = "left"
    at: float
    round: int = 0
    attempt: int = 0
    what: str = ""
    form: str = ""
    num_bytes: int = 0
    digest: str = ""
    receiver: str = ""
    sequence: int = 0
    hash: str = ""
    signature: str = ""

    def line(self) -> LedgerLine:
        """As screens show it."""
        return LedgerLine(
            at=self.at,
            round=self.round,
            attempt=self.attempt,
            what=self.what,
            num_bytes=self.num_bytes,
            form=self.form,
            receiver=self.receiver,
            digest=self.digest,
        )


_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


class Ledger:
    """The open ledger of one profile. One daemon writes it; anybody of the operator's may read it.

    `torn_bytes` and `num_damaged` say what the last run left behind.
    """

    def __init__(self, path: Path) -> None:
        self.torn_bytes = _cut_torn_line(path)
        self.num_damaged = 0
        self._per_day: dict[int, int] = {}
        self._last_head = 0
        for entry in entries(path):
            if entry is None:
                self.num_damaged += 1
            else:
                self._remember(entry)
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        sync_folder(path.parent)

    def append(self, entry: Entry) -> None:
        """Write and sync. Raises OSError if it is not on disk; then nothing of it may leave."""
        line = _ENCODER.encode(entry) + b"\n"
        size = os.fstat(self._file).st_size
        try:
            _write_all(self._file, line)
            _sync(self._file)
        except OSError:
            os.ftruncate(self._file, size)
            raise
        self._remember(entry)

    def keep_head(self, entry: Entry) -> None:
        """Keep a signed head of the audit chain if it is newer than the last one."""
        if entry.sequence > self._last_head:
            self.append(entry)

    def num_bytes_on(self, at: float) -> int:
        """Bytes that entries of the same UTC day announced."""
        return self._per_day.get(int(at // DAY_S), 0)

    def tail(self, limit: int) -> tuple[Entry, ...]:
        """The newest entries about what left, oldest first."""
        return tail(self._path, limit)

    def close(self) -> None:
        os.close(self._file)

    def _remember(self, entry: Entry) -> None:
        if entry.kind == "head":
            self._last_head = max(self._last_head, entry.sequence)
            return
        day = int(entry.at // DAY_S)
        self._per_day[day] = self._per_day.get(day, 0) + entry.num_bytes


_sync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


def _write_all(descriptor: int, line: bytes) -> None:
    if os.write(descriptor, line) != len(line):
        raise OSError(errno.ENOSPC, "no space left for the ledger")


def entries(path: Path) -> Iterator[Entry | None]:
    """Every entry, oldest first; None for a line that cannot be read."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            try:
                yield _DECODER.decode(line)
            except (msgspec.DecodeError, ValueError):
                yield None


def tail(path: Path, limit: int) -> tuple[Entry, ...]:
    """The newest `limit` readable entries about what left, oldest first."""
    found = [entry for entry in entries(path) if entry is not None and entry.kind == "left"]
    return tuple(found[-limit:])


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
