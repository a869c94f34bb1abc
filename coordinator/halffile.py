"""A file that has its name only once it is whole and synced; until then it can be given up.

    write NAME.tmp -> sync the file -> rename to NAME -> sync the directory

A crash leaves NAME.tmp behind, which `checkpoints.sweep` removes, or NAME as it was before.
"""

from pathlib import Path

from coordinator.files import DISK, Buffer, Files


class HalfFile:
    """One file on its way. Slow: use it in a thread.

    All of it raises StoreUnavailable or StoreFatal (files.py); call `abandon` then.
    """

    def __init__(self, path: Path, *, files: Files = DISK) -> None:
        """Begin NAME.tmp beside `path`."""
        self.name = f"{path.name}.tmp"
        self._path = path
        self._half = path.with_name(self.name)
        self._files = files
        self._handle: int | None = files.create(self._half)

    @property
    def open(self) -> bool:
        """Whether it is neither finished nor abandoned."""
        return self._handle is not None

    def write(self, data: Buffer) -> None:
        """Append bytes; nothing happens after the end."""
        if self._handle is not None:
            self._files.write(self._handle, data)

    def finish(self) -> None:
        """Put it under its name; from now on it survives a power loss."""
        if self._handle is None:
            return
        self._files.sync(self._handle)
        self._files.rename(self._half, self._path)
        handle, self._handle = self._handle, None
        self._files.close(handle)
        self._files.sync_directory(self._path.parent)

    def abandon(self) -> None:
        """Remove what was written; nothing happens after `finish`."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self._files.close(handle)
            self._files.remove(self._half)
