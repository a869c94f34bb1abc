r"""The format of `identity.key`, and which file of secrets is fit to be read.

    magic "fedtui key\n" | version u8 | form u8 | body | checksum 8

    form 0, open:    seed 32
    form 1, locked:  salt 16 | passes u32 | memory KiB u32 | nonce 24 | SecretBox of the seed 48

Integers are little-endian. The lock's key is Argon2id of the passphrase. The checksum (BLAKE2b)
tells damage from a wrong passphrase, and keeps a flipped bit from quietly becoming another
identity. Both programs keep such a file; the reading and writing itself is in their keystores.
"""

import hashlib
import stat
import struct
import unicodedata

from nacl.bindings import crypto_secretbox, crypto_secretbox_open
from nacl.exceptions import CryptoError as SodiumCryptoError

from fedtui.crypto.keys import SEED_BYTES
from fedtui.crypto.stretch import MODERATE, SALT_BYTES, Cost, stretch
from fedtui.errors import KeyFileError, LocalProtocolError

MAGIC = b"fedtui key\n"
VERSION = 1
OPEN, LOCKED = 0, 1
LOCK_ENTROPY_BYTES = 40
MAX_BYTES = 256

_CHECKSUM_BYTES = 8
_HEADER = len(MAGIC) + 2
_LOCK = struct.Struct("<16sII24s48s")
_BODY_BYTES = {OPEN: SEED_BYTES, LOCKED: _LOCK.size}
_RESTORE = "put it back from your backup, or move it away to start with a new identity"


def pack(seed: bytes) -> bytes:
    """Return the file for a seed without a passphrase."""
    return _whole(OPEN, seed)


def lock(seed: bytes, passphrase: str, *, entropy: bytes, cost: Cost = MODERATE) -> bytes:
    """Return the file for a seed that only `passphrase` opens; `entropy` is 40 random bytes.

    Takes about half a second and 256 MiB with the default cost: call it off the event loop.
    """
    if len(entropy) != LOCK_ENTROPY_BYTES:
        raise LocalProtocolError(f"a lock takes {LOCK_ENTROPY_BYTES} random bytes")
    salt, nonce = entropy[:SALT_BYTES], entropy[SALT_BYTES:]
    box = crypto_secretbox(seed, nonce, _lock_key(passphrase, salt, cost))
    return _whole(LOCKED, _LOCK.pack(salt, cost.passes, cost.memory_kib, nonce, box))


def is_locked(data: bytes, *, name: str) -> bool:
    """Tell whether opening takes a passphrase; raises KeyFileError like `unpack`."""
    return _checked_form(data, name) == LOCKED


def unpack(data: bytes, passphrase: str | None = None, *, name: str) -> bytes:
    """Return the seed; a passphrase that is not needed is ignored.

    Args:
        data: the whole file.
        passphrase: what locks it, if anything does.
        name: the file's path, for the message.

    Raises:
        KeyFileError: no key file, of another version, damaged, locked, or another passphrase.
    """
    form = _checked_form(data, name)
    body = data[_HEADER:-_CHECKSUM_BYTES]
    if form == OPEN:
        return body
    if passphrase is None:
        raise KeyFileError(
            f"{name} is locked with a passphrase: type it when asked, or name a file that holds "
            "it in FEDTUI_PASSPHRASE_FILE"
        )
    salt, passes, memory_kib, nonce, box = _LOCK.unpack(body)
    try:
        key = _lock_key(passphrase, salt, Cost(passes, memory_kib))
        return crypto_secretbox_open(box, nonce, key)
    except SodiumCryptoError as error:
        raise KeyFileError(f"{name}: wrong passphrase; nothing was changed, try again") from error


def check_private(name: str, *, mode: int, owner: int, uid: int) -> None:
    """Refuse a file or directory that somebody else could read or could have written.

    Args:
        name: its path, for the message.
        mode: `st_mode` of it.
        owner: `st_uid` of it.
        uid: the effective user id of this process.

    Raises:
        KeyFileError: naming the remedy.
    """
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise KeyFileError(f"{name} is not an ordinary file: {_RESTORE}")
    if owner != uid:
        raise KeyFileError(
            f"{name} belongs to user {owner}, this process runs as user {uid}: run fedtui as its "
            f"owner, or give it back with: chown {uid} '{name}'"
        )
    if mode & 0o077:
        wanted = "700" if stat.S_ISDIR(mode) else "600"
        raise KeyFileError(
            f"{name} can be used by other users of this machine (mode {stat.S_IMODE(mode):o}): "
            f"close it with: chmod {wanted} '{name}'"
        )


def _checked_form(data: bytes, name: str) -> int:
    if not data.startswith(MAGIC):
        cut = MAGIC.startswith(data)
        raise KeyFileError(f"{name} {'is cut off' if cut else 'is no fedtui key'}: {_RESTORE}")
    version, form = data[len(MAGIC) : _HEADER].ljust(2, b"\0")
    if len(data) > len(MAGIC) and version != VERSION:
        raise KeyFileError(
            f"{name} has format {version}, this fedtui reads format {VERSION}: install the fedtui "
            "that wrote it, or a newer one"
        )
    body_bytes = _BODY_BYTES.get(form)
    end = len(data) - _CHECKSUM_BYTES
    if body_bytes is None or end != _HEADER + body_bytes or data[end:] != _checksum(data[:end]):
        raise KeyFileError(f"{name} is cut off or damaged: {_RESTORE}")
    return form


def _whole(form: int, body: bytes) -> bytes:
    if len(body) != _BODY_BYTES[form]:
        raise LocalProtocolError(f"a seed has {SEED_BYTES} bytes")
    data = MAGIC + bytes((VERSION, form)) + body
    return data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECKSUM_BYTES, person=b"fedtui-keyfil-v1").digest()


def _lock_key(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    # Keyboards of different systems write the same accented letter differently: NFC makes it one.
    text = unicodedata.normalize("NFC", passphrase).encode()
    return stretch(text, salt, size=32, cost=cost)
