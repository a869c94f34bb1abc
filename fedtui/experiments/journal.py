r"""What a run did, entry by entry, in a file that only grows: from it a run goes on.

    b"fedtui journal 1\n", then for each entry
    length (4 bytes, little-endian) | check (16 bytes) | MessagePack of one of the structs below

`check` is BLAKE2b over the check before it and the entry, so that an entry stands only where it
was written. The file is synced when a round is closed. Whatever follows the last closed round,
torn or whole, is cut off when a run goes on: that round begins anew.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from fedtui.errors import LocalProtocolError
from fedtui.experiments.disk import (
    DamagedError,
    RunFolderError,
    sync_directory,
    write_all,
    writing,
)
from fedtui.rounds.suspicion import GroupSeen
from fedtui.simulation.report import NodeReport, RoundReport

MAGIC = b"fedtui journal 1\n"
MAX_ENTRY_BYTES = 2**26
_LENGTH_BYTES = 4
_CHECK_BYTES = 16
_HEAD_BYTES = _LENGTH_BYTES + _CHECK_BYTES

Kind = Literal["train", "measure"]
Digest = Annotated[bytes, msgspec.Meta(max_length=64)]
Sums = Annotated[dict[str, float], msgspec.Meta(max_length=256)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Node = Annotated[int, msgspec.Meta(ge=-1, le=2**31)]


class _Entry(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    array_like=True,
    tag=True,
    forbid_unknown_fields=True,
):
    """Written as a list: the tag, then the fields in their order."""


class JobDone(_Entry, frozen=True, kw_only=True):
    """A node (-1: the evaluator) trained or measured; `digest` names what it trained.

    `flaw` says why a coordinator that sees it cannot combine it.
    """

    kind: Kind
    node: _Node
    round: _Count
    attempt: _Count
    digest: Digest
    num_examples: _Count
    sums: Sums
    flaw: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class JobFailed(_Entry, frozen=True, kw_only=True):
    """A node's job gave nothing, for this reason."""

    kind: Kind
    node: _Node
    round: _Count
    attempt: _Count
    reason: str


class ModelMade(_Entry, frozen=True, kw_only=True):
    """The model after a round, and the nodes that were found to lie.

    `change_bytes` is the size of its change from the model before, 0 if the plan wants none.
    """

    round: _Count
    attempt: _Count
    digest: Digest
    num_bytes: _Count
    sums: Sums
    liars: list[Digest]
    change_bytes: _Count = 0
    groups: tuple[GroupSeen, ...] = ()


class SumFailed(_Entry, frozen=True, kw_only=True):
    """Updates could not be combined, for this reason."""

    round: _Count
    attempt: _Count
    reason: str
    groups: tuple[GroupSeen, ...] = ()


class RoundClosed(_Entry, frozen=True, kw_only=True):
    """A round is finished and measured: all before it stands."""

    report: RoundReport
    nodes: list[NodeReport]


Entry = JobDone | JobFailed | ModelMade | SumFailed | RoundClosed

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(Entry)


class Journal:
    """One journal; one process appends to it. `num_cut` bytes of an unfinished round were cut."""

    def __init__(self, path: Path) -> None:
        """Touch nothing yet; `read` and `append` do."""
        self.path = path
        self.num_cut = 0
        self._handle: int | None = None
        self._length = 0
        self._check = b""

    def read(self, *, upto: int | None = None) -> list[Entry]:
        """Open it for appending, new if need be, and return the entries of closed rounds.

        With `upto` only those up to that round stay, and the others are cut off, too.

        Raises:
            DamagedError: this is no journal.
            RunFolderError: it cannot be read.
            DiskError: it cannot be written.
        """
        self.close()
        entries: list[Entry] = []
        with writing(self.path):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            handle = os.open(self.path, flags, 0o644)
        self._handle = handle
        self._length, self._check = len(MAGIC), b""
        with writing(self.path):
            size = os.fstat(handle).st_size
        if size < len(MAGIC) and MAGIC.startswith(os.pread(handle, len(MAGIC), 0)):
            with writing(self.path):
                self._cut(0)
                os.lseek(handle, 0, os.SEEK_SET)
                write_all(handle, MAGIC)
                os.fsync(handle)
                sync_directory(self.path.parent)
            return entries
        num_closed = 0
        for entry, end, check in _entries(self.path):
            entries.append(entry)
            if isinstance(entry, RoundClosed):
                if upto is not None and entry.report.round > upto:
                    break
                num_closed, self._length, self._check = len(entries), end, check
        self.num_cut = size - self._length
        if self.num_cut:
            with writing(self.path):
                self._cut(self._length)
        return entries[:num_closed]

    def append(self, entries: Iterable[Entry]) -> None:
        """Write entries at the end; synced if one of them closes a round.

        Raises:
            DiskError: none of them was written.
        """
        if self._handle is None:
            self.read()
        data, check = bytearray(), self._check
        closes = False
        for entry in entries:
            text = _ENCODER.encode(entry)
            if len(text) > MAX_ENTRY_BYTES:
                raise LocalProtocolError(f"an entry of {len(text)} bytes is too long")
            check = _checked(check, text)
            data += len(text).to_bytes(_LENGTH_BYTES, "little") + check + text
            closes = closes or isinstance(entry, RoundClosed)
        handle = self._opened()
        with writing(self.path):
            os.lseek(handle, self._length, os.SEEK_SET)
            try:
                write_all(handle, data)
                if closes:
                    os.fsync(handle)
            except OSError:
                self._cut(self._length)
                raise
        self._length += len(data)
        self._check = check

    def sync(self) -> None:
        """What was appended survives a power loss. Raises DiskError."""
        with writing(self.path):
            os.fsync(self._opened())

    def close(self) -> None:
        if self._handle is not None:
            handle, self._handle = self._handle, None
            os.close(handle)

    def _cut(self, length: int) -> None:
        os.ftruncate(self._opened(), length)

    def _opened(self) -> int:
        if self._handle is None:
            raise LocalProtocolError(f"{self.path} is closed")
        return self._handle


def entries(path: Path) -> Iterator[Entry]:
    """Every entry, oldest first; touches nothing. Raises as `closed_rounds`."""
    for entry, _, _ in _entries(path):
        yield entry


def closed_rounds(path: Path) -> Iterator[RoundClosed]:
    """Every closed round, oldest first; touches nothing, also while a process appends.

    Raises:
        DamagedError: this is no journal.
        RunFolderError: it cannot be read.
    """
    for entry, _, _ in _entries(path):
        if isinstance(entry, RoundClosed):
            yield entry


def reports(entries: Sequence[Entry]) -> tuple[list[RoundReport], list[NodeReport]]:
    """What the closed rounds among them tell, oldest first."""
    closed = [entry for entry in entries if isinstance(entry, RoundClosed)]
    return [one.report for one in closed], [node for one in closed for node in one.nodes]


def _entries(path: Path) -> Iterator[tuple[Entry, int, bytes]]:
    """Each whole entry, where it ends in the file, and its check; ends at the first that is not.

    A sound check over what is no entry is not a torn write, but another version's.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise DamagedError(f"{path}: is no journal of a run that this version reads")
            end, check = len(MAGIC), b""
            while len(head := file.read(_HEAD_BYTES)) == _HEAD_BYTES:
                length = int.from_bytes(head[:_LENGTH_BYTES], "little")
                if length > MAX_ENTRY_BYTES:
                    return
                text = file.read(length)
                check = _checked(check, text)
                if len(text) < length or check != head[_LENGTH_BYTES:]:
                    return
                end += _HEAD_BYTES + length
                try:
                    entry = _DECODER.decode(text)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    raise DamagedError(
                        f"{path}: an entry cannot be read ({error}): another version wrote it; "
                        "give another --out, or --fresh to begin anew here"
                    ) from error
                yield entry, end, check
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read: {error.strerror or error}") from error


def _checked(before: bytes, text: bytes) -> bytes:
    return blake2b(before + text, digest_size=_CHECK_BYTES).digest()
