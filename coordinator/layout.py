"""Where everything lies in a coordinator's directory. Light: every command imports this."""

import contextlib
import os
import stat
import sys
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from coordinator.refusals import NoPermissionError

DIRECTORY_VARIABLE = "FEDTUI_COORDINATOR_DIR"
DEFAULT_DIRECTORY = Path("federation")
MAX_SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything lies in the coordinator's directory."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "coordinator.toml"

    @property
    def plan(self) -> Path:
        return self.root / "plan.toml"

    @property
    def plugins(self) -> Path:
        """The operator's own strategies and selections."""
        return self.root / "plugins"

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.json"

    @property
    def identity(self) -> Path:
        return self.root / "identity.key"

    @property
    def rotations(self) -> Path:
        """How the identity came from older ones; public."""
        return self.root / "rotations.json"

    @property
    def state(self) -> Path:
        """The database and its lock."""
        return self.root / "state"

    @property
    def checkpoints(self) -> Path:
        return self.state / "checkpoints"

    @property
    def spool(self) -> Path:
        return self.state / "spool"

    @property
    def socket(self) -> Path:
        return self.root / "admin.sock"


def directory(given: Path | None) -> Path:
    """The coordinator's directory: given, or from FEDTUI_COORDINATOR_DIR, or ./federation."""
    if given is not None:
        return given.expanduser().absolute()
    return Path(os.environ.get(DIRECTORY_VARIABLE) or DEFAULT_DIRECTORY).expanduser().absolute()


def socket_path(layout: Layout) -> Path:
    """Where the socket is, or will be: in the directory, unless that path is too long."""
    if len(os.fsencode(layout.socket)) <= MAX_SOCKET_PATH_BYTES:
        return layout.socket
    tag = blake2b(os.fsencode(layout.root), digest_size=8).hexdigest()
    return _runtime_folder() / f"coordinator-{tag}.sock"


def _runtime_folder() -> Path:
    """A folder that only this user can enter.

    Raises:
        NoPermissionError: somebody else owns it.
    """
    given = os.environ.get("XDG_RUNTIME_DIR")
    base = Path(given) if given and Path(given).is_dir() else None
    folder = base or Path("/tmp") / f"fedtui-{os.getuid()}"  # noqa: S108  checked below
    if base is None:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise NoPermissionError(
            f"{folder} must be a folder that only you can enter: remove it, or choose a shorter "
            "--dir"
        )
    return folder
