"""This node's own key, and its successor while a rotation is under way.

    draw()       identity.key.next: a new seed, 0600, same passphrase, synced; nothing is said yet
    statement()  signed by both keys, sent as RotateKey by the old identity
    adopt()      after Rotated: former.json keeps the old public keys, synced;
                 then identity.key.next becomes identity.key: the moment of change

The rule after a crash, wherever it came: while identity.key.next is there, the rotation goes
forward, never back, and the node comes as the *old* identity. If the coordinator takes it in, it
knows of no rotation yet: the same statement is sent again. If it says, encrypted, that the old
identity handed over (4012), the successor is adopted. So a node never guesses what was heard of
before the crash, and the new identity is shown only where the old one vouched for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from fedtui.crypto.keys import ID_BYTES, Identity, PublicIdentity
from fedtui.crypto.stretch import MODERATE, Cost
from fedtui.errors import KeyFileError, LocalProtocolError
from fedtui.wire.codec import canonical
from fedtui.wire.rotation import rotate
from node import keystore
from node.paths import sync_folder, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

FORMER_FILE = "former.json"

Key = Annotated[bytes, msgspec.Meta(min_length=ID_BYTES, max_length=ID_BYTES)]


class FormerKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Public keys that this node had; rotation `seq` replaced them at `until_s`, in UTC."""

    x25519_public: Key
    ed25519_public: Key
    seq: Annotated[int, msgspec.Meta(ge=1)]
    until_s: float

    @property
    def id(self) -> bytes:
        """The id that the keys hash to."""
        return PublicIdentity(self.x25519_public, self.ed25519_public).id


class OwnKey:
    """Who the node is; `successor` is None unless a rotation is under way."""

    identity: Identity
    successor: Identity | None

    def __init__(self, directory: Path, identity: Identity, passphrase: str | None = None) -> None:
        """Take an identity that was read already; use `open` to read one."""
        self.identity = identity
        self._directory = directory
        self._passphrase = passphrase
        self.successor = (
            keystore.load(directory, passphrase, name=keystore.NEXT_FILE)
            if (directory / keystore.NEXT_FILE).exists()
            else None
        )

    @classmethod
    def open(cls, directory: Path, passphrase: str | None = None) -> OwnKey:
        """The key in `directory`, made now if there is none. Raises KeyFileError."""
        return cls(directory, keystore.load_or_create(directory, passphrase), passphrase)

    def draw(self, *, cost: Cost = MODERATE) -> None:
        """Make the successor, durably; nothing if there is one. Slow with a passphrase.

        Raises:
            KeyFileError: it cannot be written.
        """
        if self.successor is None:
            locked = self._passphrase is not None and keystore.is_locked(self._directory)
            self.successor = keystore.create(
                self._directory,
                self._passphrase if locked else None,
                name=keystore.NEXT_FILE,
                cost=cost,
            )

    def statement(self) -> bytes:
        """The encoded rotation statement; the same each time until `adopt`."""
        if self.successor is None:
            raise LocalProtocolError("no rotation is under way")
        return canonical(rotate(self.identity, self.successor, seq=self._seq()))

    def adopt(self, now_s: float) -> None:
        """The coordinator trusts the successor: from now on the node is it.

        Raises:
            OSError, KeyFileError: the disk does not allow it; the rotation is still under way.
        """
        if self.successor is None:
            raise LocalProtocolError("no rotation is under way")
        known = former(self._directory)
        if self.identity.id not in {one.id for one in known}:  # else: a crash came after this
            old = FormerKey(
                x25519_public=self.identity.x25519_public,
                ed25519_public=self.identity.ed25519_public,
                seq=self._seq(),
                until_s=now_s,
            )
            data = msgspec.json.format(msgspec.json.encode((*known, old)), indent=2)
            write_atomically(self._directory / FORMER_FILE, data)
        (self._directory / keystore.NEXT_FILE).replace(self._directory / keystore.IDENTITY_FILE)
        sync_folder(self._directory)
        self.identity, self.successor = self.successor, None

    def _seq(self) -> int:
        known = former(self._directory)
        ours = [one.seq for one in known if one.id == self.identity.id]
        return ours[0] if ours else max((one.seq for one in known), default=0) + 1


def former(directory: Path) -> tuple[FormerKey, ...]:
    """The keys that this node had before, oldest first.

    Raises:
        KeyFileError: the file is damaged.
    """
    path = directory / FORMER_FILE
    if not path.exists():
        return ()
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[FormerKey, ...])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise KeyFileError(
            f"{path} is damaged ({error}): put it back from your backup; without it the next "
            "rotation of this node's key is refused"
        ) from error
