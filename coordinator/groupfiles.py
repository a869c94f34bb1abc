"""Where the means of groups are while they are combined: nameless files, gone with the round.

They lose their names at once, so a crash leaves nothing behind.
"""

from dataclasses import dataclass, field
from pathlib import Path

from coordinator.files import DISK, Files
from coordinator.vectorfiles import VectorFile


@dataclass(frozen=True, slots=True)
class GroupSheet:
    """One mean of `num_values` float32 values."""

    handle: int
    num_values: int
    files: Files

    def write(self, data: memoryview) -> None:
        """Append. Raises StoreUnavailable, StoreFatal."""
        self.files.write(self.handle, data)

    def values(self) -> VectorFile:
        """What was written."""
        return VectorFile(self.handle, self.num_values, files=self.files)


@dataclass(slots=True)
class GroupFiles:
    """The means of one round, in `folder`, as long as the context lasts."""

    folder: Path
    files: Files = DISK
    _handles: list[int] = field(default_factory=list)

    def sheet(self, num_values: int) -> GroupSheet:
        """An empty file. Raises StoreUnavailable, StoreFatal."""
        path = self.folder / f"group-{len(self._handles)}.tmp"
        handle = self.files.create(path)
        self._handles.append(handle)
        self.files.remove(path)
        return GroupSheet(handle, num_values, self.files)

    def __enter__(self) -> "GroupFiles":
        return self

    def __exit__(self, *_: object) -> None:
        while self._handles:
            self.files.close(self._handles.pop())
