"""The update under way: one file and a note beside it, so that a restart need not train again.

`work/update.f32` is what the trainer wrote, `work/update.json` says for which round and model. The
note is written after the file and removed before it: a file without its note does not exist.

Under masks `work/masked.u64` is what leaves instead. It belongs to one attempt and to secrets that
live in memory only, so it is never found again: every new attempt makes another one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from fedtui.wire.messages import UpdateHeader
from node.holding import Holding
from node.models import digest_of
from node.paths import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds; digests are hex. Never shown: it is the digest of a visible update."""

    round: int
    model: str
    digest: str
    num_bytes: int
    header: UpdateHeader


class Updates:
    """At most one finished update."""

    def __init__(self, folder: Path) -> None:
        self._note = folder / "update.json"
        self.path = folder / "update.f32"
        self.masked = folder / "masked.u64"
        self.holding = Holding(folder / "held")

    def kept_for(self, number: int, model: bytes) -> Update | None:
        """The update that was trained for this round from this model, if it is here and whole."""
        try:
            found = msgspec.json.decode(self._note.read_bytes(), type=Update)
        except (FileNotFoundError, msgspec.DecodeError, ValueError):
            return None
        if (found.round, found.model) != (number, model.hex()):
            return None
        try:
            whole = digest_of(self.path).hex() == found.digest
        except FileNotFoundError:
            return None
        return found if whole else None

    def keep(self, update: Update) -> None:
        """Write the note; the trainer's file lies at `path` already. Lost, it is trained again."""
        write_atomically(self._note, msgspec.json.encode(update), durable=False)

    def drop(self) -> None:
        """The round is over, one way or the other."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self.drop_masked()

    def drop_masked(self) -> None:
        """The keys of the masked vector are gone, or about to be; so is what a kill left of it."""
        self.masked.unlink(missing_ok=True)
        self.masked.with_name(self.masked.name + ".tmp").unlink(missing_ok=True)


class FileSource:
    """A file on its way out, read at offsets as the link asks for them.

    `at_end` is called just before its last byte is handed over.
    """

    def __init__(self, path: Path, at_end: Callable[[], None] = lambda: None) -> None:
        self._at_end = at_end
        self._file = os.open(path, os.O_RDONLY)
        self.num_bytes = os.fstat(self._file).st_size
        self.num_read = 0

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes from `offset`. Raises OSError."""
        data = os.pread(self._file, size, offset)
        if len(data) != size:
            raise OSError(5, "the update was cut short on disk")
        self.num_read += size
        if offset + size == self.num_bytes:
            self._at_end()
        return data

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
