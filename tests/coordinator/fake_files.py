"""A disk that keeps exactly what it must, and no more: a fake behind coordinator.files.Files.

Until a file is synced its writes may be lost, in whole or from some byte on (a torn last write, or
a hole read as zeros). Until its directory is synced a new name, a rename or a removal may be
undone. `crash` picks one of the states that a power loss allows; `fail` makes a call fail.
"""

import errno
from collections.abc import Callable  # noqa: TC003  as everywhere in the tests
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from coordinator.files import said


class PowerLossError(BaseException):
    """The machine is off. Not an Exception: nothing in the program may handle it."""


@dataclass
class Inode:
    data: bytearray = field(default_factory=bytearray)
    synced: bytes = b""

    def after_crash(self, rng: np.random.Generator) -> "Inode":
        """Some prefix of the unsynced end survives, or zeros of its length do."""
        data, base = bytes(self.data), self.synced
        if not data.startswith(base):  # truncated since: either may be found
            return Inode(bytearray(rng.choice([0, 1]) and base), b"")
        tail = data[len(base) :]
        kept = tail[: rng.integers(0, len(tail) + 1)] if tail else b""
        if kept and rng.integers(0, 4) == 0:
            kept = bytes(len(kept))
        survivor = base + kept
        return Inode(bytearray(survivor), survivor)


class FaithlessFiles:
    """`calls` counts what reached the disk; number `stop_at` never happens."""

    def __init__(self, *, stop_at: int | None = None) -> None:
        self.names_now: dict[Path, Inode] = {}
        self.names_synced: dict[Path, Inode] = {}
        self.open: dict[int, Inode] = {}
        self.calls: list[str] = []
        self.stop_at = stop_at
        self.failing: Callable[[str, int], int] = lambda call, number: 0
        self._next = 3

    def crash(self, rng: np.random.Generator) -> "FaithlessFiles":
        """The disk as it may be found after the power came back."""
        found = FaithlessFiles()
        inodes: dict[int, Inode] = {}
        for path in sorted(self.names_now.keys() | self.names_synced.keys()):
            versions = (self.names_now.get(path), self.names_synced.get(path))
            inode = versions[rng.integers(0, 2)]
            if inode is not None:
                new = inodes.setdefault(id(inode), inode.after_crash(rng))
                found.names_now[path] = found.names_synced[path] = new
        return found

    def _call(self, call: str) -> None:
        if self.stop_at is not None and len(self.calls) >= self.stop_at:
            raise PowerLossError
        self.calls.append(call)
        if code := self.failing(call, len(self.calls)):
            raise said(OSError(code, "made to fail", call), syncing=call.startswith("sync"))

    def make_directory(self, path: Path) -> None:
        pass

    def create(self, path: Path) -> int:
        self._call("create")
        inode = self.names_now.get(path)
        if inode is None:
            inode = self.names_now[path] = Inode()
        inode.data.clear()
        return self._handle(inode)

    def append(self, path: Path) -> int:
        self._call("append")
        return self._handle(self.names_now.setdefault(path, Inode()))

    def read(self, path: Path) -> int:
        if path not in self.names_now:
            raise said(OSError(errno.ENOENT, "no such file", str(path)))
        return self._handle(self.names_now[path])

    def _handle(self, inode: Inode) -> int:
        self._next += 1
        self.open[self._next] = inode
        return self._next

    def write(self, handle: int, data: bytes | bytearray | memoryview) -> None:
        inode, data = self.open[handle], bytes(data)
        try:
            self._call("write")
        except BaseException:
            inode.data += data[: len(data) // 2]  # a failed write may have done a part
            raise
        inode.data += data

    def pread(self, handle: int, num_bytes: int, offset: int) -> bytes:
        return bytes(self.open[handle].data[offset : offset + num_bytes])

    def sync(self, handle: int) -> None:
        self._call("sync")
        inode = self.open[handle]
        inode.synced = bytes(inode.data)

    def close(self, handle: int) -> None:
        del self.open[handle]

    def rename(self, source: Path, target: Path) -> None:
        self._call("rename")
        self.names_now[target] = self.names_now.pop(source)

    def sync_directory(self, directory: Path) -> None:
        self._call("sync_directory")
        self.names_synced = dict(self.names_now)

    def remove(self, path: Path) -> None:
        self._call("remove")
        self.names_now.pop(path, None)

    def names(self, directory: Path) -> list[str]:
        return sorted(path.name for path in self.names_now if path.parent == directory)

    def size(self, path: Path) -> int:
        return len(self.names_now[path].data)
