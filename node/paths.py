"""Where a profile keeps its files. One profile is one node in one federation.

::

    $FEDTUI_HOME or ~/.local/share/fedtui / PROFILE /          0700
        node.toml       what the operator decided        config.py
        identity.key    who this node is                 keystore.py
        identity.key.next, former.json: a new key        own_key.py
        trusted.json    which coordinators it trusts     keystore.py
        consent.json    which plan, when, what was shown consent.py
        ledger.jsonl    what left this machine           ledger.py
        journal.jsonl   what it voted for under masks    journal.py
        budget.jsonl    what it spent of its privacy     budget.py
        orders.json     paused, leaving                  orders.py
        history.jsonl   how its last rounds came out     history.py
        peers.json      nodes that were in its rosters   peers.py
        terms.bin       the plan as the coordinator serves it
        models/         global models by digest          models.py
        work/           updates under way
        tasks/          the operator's own task files, by hash
        plugins/        the operator's own strategies
        node.log        what the daemon said
        node.lock       held by the running daemon
        node.socket     where its control socket is      daemon.py

The control socket lies in $XDG_RUNTIME_DIR/fedtui, or in a directory of this user's own under the
system's temporary directory: a UNIX socket's path may have some 100 bytes only. A daemon that
systemd or cron started sees other variables than a login shell, so it writes down where it is.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fedtui import plugins
from node.exits import Exit, Stop

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,47}")
MAX_SOCKET_PATH = 100


@dataclass(frozen=True, slots=True)
class Profile:
    """The files of one profile; nothing is created before `create()`."""

    name: str
    root: Path

    @property
    def config(self) -> Path:
        return self.root / "node.toml"

    @property
    def identity(self) -> Path:
        return self.root / "identity.key"

    @property
    def trusted(self) -> Path:
        return self.root / "trusted.json"

    @property
    def consent(self) -> Path:
        return self.root / "consent.json"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.jsonl"

    @property
    def journal(self) -> Path:
        return self.root / "journal.jsonl"

    @property
    def budget(self) -> Path:
        return self.root / "budget.jsonl"

    @property
    def history(self) -> Path:
        return self.root / "history.jsonl"

    @property
    def peers(self) -> Path:
        return self.root / "peers.json"

    @property
    def terms(self) -> Path:
        return self.root / "terms.bin"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def tasks(self) -> Path:
        return self.root / "tasks"

    @property
    def plugins(self) -> Path:
        return self.root / "plugins"

    @property
    def log(self) -> Path:
        return self.root / "node.log"

    @property
    def lock(self) -> Path:
        return self.root / "node.lock"

    def create(self) -> None:
        """Make the folders, 0700, and use the operator's own plug-ins.

        Raises Stop if they are somebody else's or open to others.
        """
        for folder in (self.root, self.models, self.work, self.tasks, self.plugins):
            private_folder(folder)
        plugins.use_own(self.plugins)

    @property
    def socket_note(self) -> Path:
        return self.root / "node.socket"

    def control(self) -> Path:
        """Where the running daemon can be reached; where it would be, if it did not say."""
        try:
            said = self.socket_note.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            said = ""
        return Path(said) if said else self.socket()

    def socket(self) -> Path:
        """The control socket's path; its folder is made, 0700. Raises Stop if it is not ours."""
        tag = hashlib.blake2b(os.fsencode(self.root.resolve()), digest_size=6).hexdigest()
        name = f"{self.name[:24]}-{tag}.sock"
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        folder = Path(runtime) / "fedtui"
        too_long = len(os.fsencode(folder / name)) > MAX_SOCKET_PATH
        if not runtime or too_long or not Path(runtime).is_dir():
            folder = Path(tempfile.gettempdir()) / f"fedtui-{os.getuid()}"
        if len(os.fsencode(folder / name)) > MAX_SOCKET_PATH:
            folder = Path("/tmp") / f"fedtui-{os.getuid()}"  # noqa: S108 - 0700 and ours, checked
        private_folder(folder)
        return folder / name


def profile(name: str) -> Profile:
    """The profile with this name. Raises Stop if the name could not be a folder's."""
    if not _NAME.fullmatch(name):
        raise Stop(
            f"{name!r} cannot be a profile's name",
            remedy="use letters, digits, '_', '.' and '-', at most 48, starting with a letter",
            exit_code=Exit.USAGE,
        )
    home = os.environ.get("FEDTUI_HOME", "")
    base = Path(home) if home else Path.home() / ".local" / "share" / "fedtui"
    return Profile(name, base.expanduser().absolute() / name)


def private_folder(folder: Path) -> None:
    """Make `folder` 0700, or check that it is ours and closed to others. Raises Stop if not."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Stop(
            f"{folder} is not a folder of this user",
            remedy=f"look at who made it, then move it away, or become the user of {folder}",
            exit_code=Exit.NO_PERMISSION,
        )
    if found.st_mode & 0o077:
        raise Stop(
            f"{folder} is open to other users (mode {found.st_mode & 0o777:04o})",
            remedy=f"chmod 700 {folder}",
            exit_code=Exit.NO_PERMISSION,
        )


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace `path` by `content`, mode 0600: the old file or the new one, never a half.

    Without `durable` a power cut may lose the change (not a crash of this program): for what can
    be had again, because a sync costs more than anything else a node does in a round.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
