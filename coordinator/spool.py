"""Updates on their way in: each a file of exactly the announced size and digest, or nothing.

    <round>-<attempt>-<node>-<bytes>-<digest>.part      growing; its size is where to resume
    <round>-<attempt>-<node>.update                     complete, verified, synced

The promise (size and digest) is in the name, so only the same update can resume, also after a
restart; a torn end shows in the digest, and the upload begins again. Node ids stand in full: their
short form could be ground out by somebody who wants to replace another node's update. Files stay
until the round's checkpoint is committed, then `sweep` removes them.

`Upload.write` is quick. `Spool.receive` (when it resumes after a restart), `Upload.finish` and
`Spool.sweep` are slow: call them in a thread, one call at a time per upload.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from coordinator.files import DISK, Buffer, Files, StoreConflict, StoreUnavailable

_NAME = re.compile(r"(\d+)-(\d+)-([0-9a-f]{64})(?:-(\d+)-([0-9a-f]{64})\.part|\.update)")
_BLOCK = 2**20


class SpoolRefusedError(StoreConflict):
    """The node sent something else than it announced; the text can be told to it."""


class SpoolFullError(StoreUnavailable):
    """The update does not fit into the quota now."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What a node announced: whose update of which attempt, how long, with which BLAKE2b-256."""

    round: int
    attempt: int
    node: bytes
    num_bytes: int
    digest: bytes

    @property
    def part(self) -> str:
        return f"{self._stem}-{self.num_bytes}-{self.digest.hex()}.part"

    @property
    def update(self) -> str:
        return f"{self._stem}.update"

    @property
    def _stem(self) -> str:
        return f"{self.round}-{self.attempt}-{self.node.hex()}"


class SpooledUpdate:
    """A complete update, open for reading; `read` is safe in many threads."""

    def __init__(self, handle: int, num_bytes: int, *, files: Files) -> None:
        self.handle = handle
        self.num_bytes = num_bytes
        self._files = files

    def read(self, offset: int, num_bytes: int) -> bytes:
        """Bytes from `offset` on; fewer than asked for only at the end."""
        return self._files.pread(self.handle, num_bytes, offset)

    def close(self) -> None:
        self._files.close(self.handle)

    def __enter__(self) -> "SpooledUpdate":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(slots=True)
class Upload:
    """One update on its way in. Made by `Spool.receive`."""

    promise: Promise
    files: Files
    directory: Path
    taken: dict[str, int]  # the spool's books: what each file there may grow to
    offset: int = 0  # bytes on disk and in the hash: where the node goes on
    finished: bool = False
    usable: bool = True
    _handle: int | None = None
    _hash: "blake2b" = field(default_factory=lambda: blake2b(digest_size=32))

    def open(self) -> None:
        """Take up what an earlier connection, or life, left of the file."""
        path = self.directory / self.promise.part
        self._handle = self.files.append(path)
        while data := self.files.pread(self._handle, _BLOCK, self.offset):
            self._hash.update(data)
            self.offset += len(data)
        if self.offset > self.promise.num_bytes:
            raise SpoolRefusedError("the part on disk is longer than the update")

    def write(self, offset: int, data: Buffer) -> None:
        """Append `data`, which must begin at `self.offset`.

        Raises:
            SpoolRefusedError: a gap, a repeat, or more than was announced; nothing was written.
            StoreUnavailable: the disk is full; the upload goes on after another `receive`.
            StoreFatal: see files.py.
        """
        data = memoryview(data).cast("B")
        if self._handle is None or not self.usable:
            raise SpoolRefusedError("the upload was interrupted: open it again")
        if offset != self.offset:
            raise SpoolRefusedError(f"bytes from {offset} on came, {self.offset} was expected")
        if offset + len(data) > self.promise.num_bytes:
            raise SpoolRefusedError(f"more than the announced {self.promise.num_bytes} bytes")
        self.usable = False  # until all of it is written: a part of it may be on disk
        self.files.write(self._handle, data)
        self.usable = True
        self._hash.update(data)
        self.offset += len(data)

    def finish(self) -> None:
        """Verify, sync and put under its final name; only then may a receipt be sent.

        Raises:
            SpoolRefusedError: bytes are missing; or the digest is wrong, then the file is removed.
            StoreUnavailable, StoreFatal: see files.py.
        """
        if self.finished:
            return
        if self._handle is None or not self.usable or self.offset != self.promise.num_bytes:
            raise SpoolRefusedError(
                f"{self.offset} of {self.promise.num_bytes} bytes came: send the rest"
            )
        if self._hash.digest() != self.promise.digest:
            self.discard()
            raise SpoolRefusedError("the bytes do not have the announced digest: send them again")
        self.files.sync(self._handle)
        self.close()
        part, update = self.promise.part, self.promise.update
        self.files.rename(self.directory / part, self.directory / update)
        self.files.sync_directory(self.directory)
        self.taken.pop(part, None)
        self.taken[update] = self.promise.num_bytes
        self.finished = True

    def close(self) -> None:
        """Let go of the file, which stays; `Spool.receive` takes it up again."""
        self.usable = False
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self.files.close(handle)

    def discard(self) -> None:
        """Remove the part on disk."""
        self.close()
        self.files.remove(self.directory / self.promise.part)
        self.taken.pop(self.promise.part, None)


class Spool:
    """The folder of updates on their way in, and how much they may take."""

    def __init__(self, directory: Path, *, quota_bytes: int, files: Files = DISK) -> None:
        """Use `directory`, which is made if need be. What it holds counts against the quota."""
        self._directory = directory
        self._quota = quota_bytes
        self._files = files
        self._uploads: dict[tuple[int, int, bytes], Upload] = {}
        files.make_directory(directory)
        self._taken = {name: files.size(directory / name) for name in files.names(directory)}

    @property
    def num_bytes(self) -> int:
        """What the updates here take when they are complete."""
        return sum(self._taken.values())

    def receive(self, promise: Promise) -> Upload:
        """Begin, or go on with, an update; the node sends from `Upload.offset` on.

        Raises:
            SpoolRefusedError: another update of this node for this attempt is complete already.
            SpoolFullError: no room in the quota now.
            StoreUnavailable, StoreFatal: see files.py.
        """
        key = (promise.round, promise.attempt, promise.node)
        known = self._uploads.get(key)
        if known is not None and known.promise == promise and (known.usable or known.finished):
            return known
        if promise.update in self._taken:
            return self._complete(promise)
        if known is not None:
            known.close()
        self._drop_other_parts(promise)
        others = self.num_bytes - self._taken.get(promise.part, 0)
        if others + promise.num_bytes > self._quota:
            raise SpoolFullError(
                f"the spool has room for {max(0, self._quota - others)} bytes, the update has "
                f"{promise.num_bytes}: raise its quota, or wait for the round to end"
            )
        upload = self._uploads[key] = Upload(promise, self._files, self._directory, self._taken)
        upload.open()
        self._taken[promise.part] = promise.num_bytes
        return upload

    def open(self, round_: int, attempt: int, node: bytes) -> SpooledUpdate:
        """A complete update, for reading."""
        path = self._directory / Promise(round_, attempt, node, 0, b"").update
        num_bytes = self._files.size(path)
        return SpooledUpdate(self._files.read(path), num_bytes, files=self._files)

    def verify(self, promise: Promise) -> bool:
        """Whether the update is here, complete and with this digest. Slow: it reads it all."""
        if self._taken.get(promise.update) != promise.num_bytes:
            return False
        state = blake2b(digest_size=32)
        with self.open(promise.round, promise.attempt, promise.node) as update:
            for offset in range(0, promise.num_bytes, _BLOCK):
                state.update(update.read(offset, _BLOCK))
        return state.digest() == promise.digest

    def sweep(self, keep: Collection[tuple[int, int]]) -> tuple[str, ...]:
        """Remove what is not of these (round, attempt) pairs; returns the names. Slow."""
        for key in [key for key in self._uploads if key[:2] not in keep]:
            self._uploads.pop(key).close()
        removed = []
        for name in self._files.names(self._directory):
            match = _NAME.fullmatch(name)
            if match is None or (int(match[1]), int(match[2])) in keep:
                continue
            self._files.remove(self._directory / name)
            self._taken.pop(name, None)
            removed.append(name)
        return tuple(removed)

    def close(self) -> None:
        """Let go of all files; they stay."""
        for upload in self._uploads.values():
            upload.close()
        self._uploads.clear()

    def _complete(self, promise: Promise) -> Upload:
        """The upload of an update that is here in full; another one is refused."""
        if not self.verify(promise):
            raise SpoolRefusedError("another update of this node is complete already")
        upload = Upload(promise, self._files, self._directory, self._taken, promise.num_bytes)
        upload.finished = True
        self._uploads[promise.round, promise.attempt, promise.node] = upload
        return upload

    def _drop_other_parts(self, promise: Promise) -> None:
        """The node changed its mind: what it sent under another promise is of no use."""
        stem = promise.update.removesuffix(".update") + "-"
        names = list(self._taken)  # in one step: other threads finish uploads meanwhile
        for name in [n for n in names if n.startswith(stem) and n != promise.part]:
            self._files.remove(self._directory / name)
            del self._taken[name]
