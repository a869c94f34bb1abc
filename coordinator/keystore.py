"""The coordinator's identity key on disk: `identity.key`, 0600 in a 0700 directory.

Losing it means that every node has to be invited again; sharing it means that somebody else can be
this coordinator. Format and refusals are those of `fedtui/crypto/keyfile.py`.

A new key is written to a temporary file, synced, and then *linked* to its name: linking fails when
the name is taken, so a key is never overwritten, and it is there whole or not at all.
"""

import os
from pathlib import Path

from fedtui.crypto import keyfile
from fedtui.crypto.keys import SEED_BYTES, Identity
from fedtui.crypto.stretch import MODERATE, Cost
from fedtui.errors import KeyFileError, KeyFileExistsError

IDENTITY_FILE = "identity.key"
NEXT_FILE = "identity.key.next"


def load_or_create(
    directory: Path, passphrase: str | None = None, *, cost: Cost = MODERATE
) -> Identity:
    """Return the identity in `directory`, made now if there is none."""
    try:
        return create(directory, passphrase, cost=cost)
    except KeyFileExistsError:
        return load(directory, passphrase)


def load(directory: Path, passphrase: str | None = None) -> Identity:
    """Return the identity in `directory`.

    Raises:
        KeyFileError: missing, readable by others, of another owner, damaged or locked.
    """
    path = directory / IDENTITY_FILE
    return Identity.from_seed(keyfile.unpack(_read_private(path), passphrase, name=str(path)))


def is_locked(directory: Path) -> bool:
    """Tell whether `load` takes a passphrase; raises KeyFileError like it."""
    path = directory / IDENTITY_FILE
    return keyfile.is_locked(_read_private(path), name=str(path))


def draw_next(
    directory: Path, passphrase: str | None = None, *, cost: Cost = MODERATE
) -> Identity:
    """Make the successor of the identity in `directory`, locked with the passphrase if that is.

    One that was left there is thrown away: before `promote` nobody heard of it.
    """
    (directory / NEXT_FILE).unlink(missing_ok=True)
    locked = is_locked(directory)
    return create(directory, passphrase if locked else None, name=NEXT_FILE, cost=cost)


def promote(directory: Path) -> None:
    """Put the successor in the place of the identity, which is gone then."""
    (directory / NEXT_FILE).replace(directory / IDENTITY_FILE)
    _sync_directory(directory)


def create(
    directory: Path,
    passphrase: str | None = None,
    *,
    name: str = IDENTITY_FILE,
    cost: Cost = MODERATE,
) -> Identity:
    """Make an identity and keep it in `directory`, which is made too if it is missing.

    Raises:
        KeyFileExistsError: there is one already; it is untouched.
        KeyFileError: the directory is open to others, or nothing can be written there.
    """
    path = directory / name
    seed = os.urandom(SEED_BYTES)
    try:
        _make_directory(directory)
        if not os.path.lexists(path):  # a locked file takes half a second to make
            _publish(path, _file_of(seed, passphrase, cost))
            return Identity.from_seed(seed)
    except FileExistsError:
        pass  # somebody else was faster
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from error
    raise KeyFileExistsError(f"{path} exists already and was left as it is: move it away first")


def _file_of(seed: bytes, passphrase: str | None, cost: Cost) -> bytes:
    if passphrase is None:
        return keyfile.pack(seed)
    entropy = os.urandom(keyfile.LOCK_ENTROPY_BYTES)
    return keyfile.lock(seed, passphrase, entropy=entropy, cost=cost)


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise KeyFileError(f"{directory} is a file, not a directory: choose another") from error
    _check_private(directory)


def _read_private(path: Path) -> bytes:
    """Read a small file that only we can read, in a directory that only we can use."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        _check_private(path.parent)
        handle = os.open(path, flags)
        with open(handle, "rb") as file:  # noqa: PTH123  a handle, not a path: checked, then read
            _check_private(path, handle)
            return file.read(keyfile.MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise KeyFileError(
            f"{path} does not exist: make an identity with 'fedtui-coordinator init'"
        ) from error
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from error


def _check_private(path: Path, handle: int | None = None) -> None:
    found = path.stat() if handle is None else os.fstat(handle)
    keyfile.check_private(str(path), mode=found.st_mode, owner=found.st_uid, uid=os.geteuid())


def _publish(path: Path, data: bytes) -> None:
    """Write `data` to a new file at `path`, durably; FileExistsError if the name is taken."""
    temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, 0o600), "wb") as file:  # noqa: PTH123  handle, 0600
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
