"""The node's identity key and the coordinators it trusts, on disk: 0600 in a 0700 directory.

`identity.key` is who this node is; format and refusals are those of `fedtui/crypto/keyfile.py`.
`trusted.json` pins coordinators: both public keys, where they were met, and every key rotation
since. A coordinator that proves another identity than the pinned one is a hard stop, with both
fingerprints. Only a rotation signed by the old key, or `replace`, which the operator asks for,
changes a pin.

A new key is written to a temporary file, synced, and then *linked* to its name: linking fails when
the name is taken, so a key is never overwritten, and it is there whole or not at all.
"""

import os
from pathlib import Path
from typing import Annotated

import msgspec

from fedtui.crypto import keyfile
from fedtui.crypto.keys import SEED_BYTES, Identity, PublicIdentity, fingerprint
from fedtui.crypto.stretch import MODERATE, Cost
from fedtui.errors import IdentityMismatchError, KeyFileError, KeyFileExistsError
from fedtui.wire.labels import safe_label
from fedtui.wire.rotation import Rotation, verify

IDENTITY_FILE = "identity.key"
NEXT_FILE = "identity.key.next"
TRUSTED_FILE = "trusted.json"
MAX_TRUSTED_BYTES = 4 * 1024 * 1024


def load_or_create(
    directory: Path, passphrase: str | None = None, *, cost: Cost = MODERATE
) -> Identity:
    """Return the identity in `directory`, made now if there is none."""
    try:
        return create(directory, passphrase, cost=cost)
    except KeyFileExistsError:
        return load(directory, passphrase)


def load(directory: Path, passphrase: str | None = None, *, name: str = IDENTITY_FILE) -> Identity:
    """Return the identity in `directory`.

    Raises:
        KeyFileError: missing, readable by others, of another owner, damaged or locked.
    """
    path = directory / name
    return Identity.from_seed(keyfile.unpack(_read_private(path), passphrase, name=str(path)))


def is_locked(directory: Path) -> bool:
    """Tell whether `load` takes a passphrase; raises KeyFileError like it."""
    path = directory / IDENTITY_FILE
    return keyfile.is_locked(_read_private(path), name=str(path))


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


Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class TrustedCoordinator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pinned coordinator. `label` is shown as plain text; `first_seen_s` is for people only.

    `former_ids` are the ids it had before, oldest first; `rotations` the statements that led from
    one to the next (an id that the operator replaced by hand has none). `refused` holds the keys
    of the last coordinator that claimed to be this one, for `fedtui trust replace`.
    """

    id: Key
    x25519_public: Key
    ed25519_public: Key
    addresses: tuple[str, ...]
    label: str
    first_seen_s: float
    former_ids: tuple[Key, ...] = ()
    rotations: tuple[Rotation, ...] = ()
    refused: tuple[Key, Key] | None = None

    @property
    def last_seq(self) -> int:
        """The number of the last rotation that was followed; 0 if none was."""
        return max((done.handover.seq for done in self.rotations), default=0)

    @property
    def identity(self) -> PublicIdentity:
        """Its keys, as `Channel` and signatures need them."""
        return PublicIdentity(self.x25519_public, self.ed25519_public)


class TrustStore:
    """The coordinators one node pinned. Every call reads the file: two programs may share it."""

    def __init__(self, directory: Path) -> None:
        """Use `trusted.json` in `directory`; it need not exist yet."""
        self._path = directory / TRUSTED_FILE

    def all(self) -> tuple[TrustedCoordinator, ...]:
        """Return every pinned coordinator, in the order they were pinned.

        Raises:
            KeyFileError: the file is exposed, damaged or not to be read.
        """
        if not os.path.lexists(self._path):
            return ()
        data = _read_private(self._path, MAX_TRUSTED_BYTES)
        try:
            entries = msgspec.json.decode(data, type=tuple[TrustedCoordinator, ...])
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise self._damaged(str(error)) from error
        if any(entry.identity.id != entry.id for entry in entries):
            raise self._damaged("an id does not fit its keys")
        return entries

    def get(self, coordinator_id: bytes) -> TrustedCoordinator | None:
        """Return the coordinator whose id is or once was `coordinator_id`; None if not pinned."""
        for entry in self.all():
            if coordinator_id == entry.id or coordinator_id in entry.former_ids:
                return entry
        return None

    def current_id(self, coordinator_id: bytes) -> bytes:
        """Return the id that this coordinator has by now, as far as we know."""
        entry = self.get(coordinator_id)
        return entry.id if entry is not None else coordinator_id

    def pin(
        self,
        identity: PublicIdentity,
        *,
        addresses: tuple[str, ...],
        label: str,
        now_s: float,
    ) -> TrustedCoordinator:
        """Trust a coordinator; one known already keeps its history and gets new addresses."""
        known = self.get(identity.id)
        if known is not None and known.id != identity.id:
            raise IdentityMismatchError(
                f"{fingerprint(identity.id)} handed over to {fingerprint(known.id)} and is no "
                "longer trusted: connect to its successor"
            )
        entry = TrustedCoordinator(
            id=identity.id,
            x25519_public=identity.x25519_public,
            ed25519_public=identity.ed25519_public,
            addresses=addresses,
            label=safe_label(label),
            first_seen_s=known.first_seen_s if known else now_s,
            former_ids=known.former_ids if known else (),
            rotations=known.rotations if known else (),
        )
        return self._store(identity.id, entry)

    def check(self, coordinator_id: bytes, seen: PublicIdentity) -> TrustedCoordinator:
        """Return the pinned coordinator if `seen` is it.

        Raises:
            IdentityMismatchError: nothing is pinned, or `seen` is somebody else (4003).
        """
        entry = self._pinned(coordinator_id)
        if seen.id == entry.id:
            return entry
        raise IdentityMismatchError(
            f"the coordinator is not the one that this node trusts.\n"
            f"  trusted: {fingerprint(entry.id)}\n"
            f"  now:     {fingerprint(seen.id)}\n"
            "Nothing was sent to it. If its operator made a new key, compare the second line with "
            "the coordinator's screen, then join with a new invite or type: "
            f"fedtui trust replace --id {fingerprint(seen.id)}"
        )

    def remember_refused(self, coordinator_id: bytes, seen: PublicIdentity) -> None:
        """Keep the keys of a refused coordinator, so that the operator can choose them."""
        entry = self._pinned(coordinator_id)
        refused = (seen.x25519_public, seen.ed25519_public)
        self._store(entry.id, msgspec.structs.replace(entry, refused=refused))

    def forget(self, coordinator_id: bytes) -> None:
        """Trust this coordinator no more; nothing if it is not pinned."""
        entry = self.get(coordinator_id)
        if entry is not None:
            self._write([kept for kept in self.all() if kept.id != entry.id])

    def replace(self, coordinator_id: bytes, identity: PublicIdentity) -> TrustedCoordinator:
        """Trust `identity` in place of a pinned coordinator, because the operator said so."""
        return self._succeed(self._pinned(coordinator_id), identity, ())

    def apply_rotation(self, rotation: Rotation) -> TrustedCoordinator:
        """Trust the new key that a pinned coordinator's statement names.

        Raises:
            IdentityMismatchError: the old id is not pinned, or the statement does not hold.
        """
        entry = self._pinned(rotation.handover.old_id)
        new = verify(rotation, entry.identity, last_seq=entry.last_seq)
        return self._succeed(entry, new, (rotation,))

    def _succeed(
        self, entry: TrustedCoordinator, new: PublicIdentity, rotations: tuple[Rotation, ...]
    ) -> TrustedCoordinator:
        if new.id == entry.id:
            return entry
        successor = msgspec.structs.replace(
            entry,
            id=new.id,
            x25519_public=new.x25519_public,
            ed25519_public=new.ed25519_public,
            former_ids=(*entry.former_ids, entry.id),
            rotations=(*entry.rotations, *rotations),
            refused=None,
        )
        return self._store(entry.id, successor)

    def _pinned(self, coordinator_id: bytes) -> TrustedCoordinator:
        entry = self.get(coordinator_id)
        if entry is None:
            raise IdentityMismatchError(
                f"this node trusts no coordinator {fingerprint(coordinator_id)}: join it first"
            )
        return entry

    def _store(self, old_id: bytes, entry: TrustedCoordinator) -> TrustedCoordinator:
        """Put `entry` in the place of `old_id` (and of itself), or at the end."""
        entries = [kept for kept in self.all() if kept.id not in {old_id, entry.id}]
        self._write([*entries, entry])
        return entry

    def _write(self, entries: list[TrustedCoordinator]) -> None:
        data = msgspec.json.format(msgspec.json.encode(entries), indent=2)
        try:
            _make_directory(self._path.parent)
            _publish(self._path, data, overwrite=True)
        except OSError as error:
            raise KeyFileError(f"{self._path} cannot be written: {error.strerror}") from error

    def _damaged(self, what: str) -> KeyFileError:
        return KeyFileError(
            f"{self._path} is damaged ({what}): put it back from your backup, or move it away and "
            "join again, comparing the coordinator's fingerprint"
        )


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


def _read_private(path: Path, max_bytes: int = keyfile.MAX_BYTES) -> bytes:
    """Read a small file that only we can read, in a directory that only we can use."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        _check_private(path.parent)
        handle = os.open(path, flags)
        with open(handle, "rb") as file:  # noqa: PTH123  a handle, not a path: checked, then read
            _check_private(path, handle)
            return file.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise KeyFileError(
            f"{path} does not exist: make an identity with 'fedtui join'"
        ) from error
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from error


def _check_private(path: Path, handle: int | None = None) -> None:
    found = path.stat() if handle is None else os.fstat(handle)
    keyfile.check_private(str(path), mode=found.st_mode, owner=found.st_uid, uid=os.geteuid())


def _publish(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Write `data` durably; FileExistsError if the name is taken, unless `overwrite`."""
    temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, 0o600), "wb") as file:  # noqa: PTH123  handle, 0600
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            temporary.replace(path)
        else:
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
