"""Identities: one seed, an X25519 pair, an Ed25519 pair, and the id that is pinned everywhere.

    x25519_secret = BLAKE2b-256(seed, person="fedtui-x25519-v1")
    ed25519_seed  = BLAKE2b-256(seed, person="fedtui-ed255-v1")
    id            = BLAKE2b-256(x25519_public | ed25519_public, person="fedtui-id-v1")

The Noise handshake proves the X25519 key, and Ed25519 signs what third parties rely on. Because
the id is a hash of both public keys, nobody can claim an id: it is computed from proven keys,
never read from a message. Hashes and signatures cover a purpose label, so that one made for one
purpose never fits another.

Python cannot wipe memory: secrets stay in the process until its end. They never appear in a repr.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from nacl import bindings
from nacl.exceptions import BadSignatureError
from nacl.exceptions import RuntimeError as SodiumError

from fedtui.errors import CryptoError, FingerprintError, LocalProtocolError, RemoteProtocolError

ByteString = bytes | bytearray | memoryview

SEED_BYTES = 32
ID_BYTES = 32
KEY_BYTES = 32
SIGNATURE_BYTES = 64
FINGERPRINT_BYTES = 20
_PRIME = 2**255 - 19
_OTHER_FORM = "an X25519 key is not written in its one canonical form"


def digest(purpose: str, *parts: ByteString) -> bytes:
    """Return the 32-byte hash of `parts` for `purpose`.

    The purpose and every part are preceded by their length, so no two different lists of parts
    hash the same bytes. Parts must be contiguous; a memoryview counts in bytes, whatever its item
    size.
    """
    state = hashlib.blake2b(digest_size=32, person=b"fedtui-digest-v1")
    for part in (purpose.encode(), *parts):
        size = part.nbytes if isinstance(part, memoryview) else len(part)
        state.update(size.to_bytes(8, "little"))
        state.update(part)
    return state.digest()


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An X25519 pair: `public`, and a secret that only `agree` uses."""

    public: bytes
    _secret: bytes = field(repr=False)

    @classmethod
    def from_secret(cls, secret: bytes) -> "KeyPair":
        """Build the pair of a 32-byte secret."""
        if len(secret) != KEY_BYTES:
            raise LocalProtocolError(f"an X25519 secret has 32 bytes, this one {len(secret)}")
        return cls(bindings.crypto_scalarmult_base(secret), secret)

    def agree(self, public: bytes) -> bytes:
        """Return the 32-byte shared secret with the holder of `public`.

        Raises:
            CryptoError: `public` is no key of full order (the result would be all zeros, known to
                all), or not in the one form that a key has.
        """
        if len(public) != KEY_BYTES:  # the binding does not look, and would read past the end
            raise CryptoError(f"an X25519 key has 32 bytes, this one {len(public)}")
        if not is_canonical(public):
            raise CryptoError(_OTHER_FORM)
        try:
            return bindings.crypto_scalarmult(self._secret, public)
        except SodiumError as error:
            raise CryptoError("the other side sent an X25519 key that is not usable") from error


def is_canonical(public: bytes) -> bool:
    """Whether an X25519 key is in its one form: X25519 takes others of the same key too.

    So a key that was copied in another form is found out, and nothing has two ids.
    """
    return int.from_bytes(public, "little") < _PRIME


@dataclass(frozen=True, slots=True)
class PublicIdentity:
    """Both public keys of a coordinator or a participant, and the id that they hash to."""

    x25519_public: bytes
    ed25519_public: bytes
    id: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Check lengths and form, and compute the id."""
        for key in (self.x25519_public, self.ed25519_public):
            if len(key) != KEY_BYTES:
                raise RemoteProtocolError(f"a public key has 32 bytes, this one {len(key)}")
        if not is_canonical(self.x25519_public):  # libsodium looks at the other one itself
            raise RemoteProtocolError(_OTHER_FORM)
        keys = self.x25519_public + self.ed25519_public
        object.__setattr__(self, "id", _personal(keys, b"fedtui-id-v1"))

    def __repr__(self) -> str:
        """Show the short id only."""
        return f"PublicIdentity({short_id(self.id)})"

    def verify(self, purpose: str, message: ByteString, signature: bytes) -> bool:
        """Tell whether this identity signed `message` for `purpose`."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            bindings.crypto_sign_open(
                signature + _statement(purpose, self.id, message), self.ed25519_public
            )
        except BadSignatureError:
            return False
        return True


class Identity:
    """The secret half: signs and agrees. Built from the seed that the keystore holds."""

    __slots__ = ("_ed25519_secret", "public", "x25519")

    public: PublicIdentity
    x25519: KeyPair

    def __init__(self, x25519: KeyPair, public: PublicIdentity, ed25519_secret: bytes) -> None:
        """Use `from_seed` instead."""
        self.x25519 = x25519
        self.public = public
        self._ed25519_secret = ed25519_secret

    @classmethod
    def from_seed(cls, seed: bytes) -> "Identity":
        """Derive both key pairs from 32 secret bytes; equal seeds give equal identities."""
        if len(seed) != SEED_BYTES:
            raise LocalProtocolError(f"a seed has {SEED_BYTES} bytes, this one {len(seed)}")
        x25519 = KeyPair.from_secret(_personal(seed, b"fedtui-x25519-v1"))
        ed25519_public, ed25519_secret = bindings.crypto_sign_seed_keypair(
            _personal(seed, b"fedtui-ed255-v1")
        )
        return cls(x25519, PublicIdentity(x25519.public, ed25519_public), ed25519_secret)

    @property
    def id(self) -> bytes:
        """The 32-byte id: a hash of both public keys."""
        return self.public.id

    @property
    def x25519_public(self) -> bytes:
        """The key that the handshake proves."""
        return self.public.x25519_public

    @property
    def ed25519_public(self) -> bytes:
        """The key that signatures are checked with."""
        return self.public.ed25519_public

    def sign(self, purpose: str, message: ByteString) -> bytes:
        """Return the 64-byte signature of `message` for `purpose`; it covers our id too."""
        signed = bindings.crypto_sign(_statement(purpose, self.id, message), self._ed25519_secret)
        return signed[:SIGNATURE_BYTES]

    def __repr__(self) -> str:
        """Show the short id only."""
        return f"Identity({short_id(self.id)})"


def fingerprint(identity_id: bytes) -> str:
    """Return the first 160 bits of an id for people to compare: 8 groups of 4, base32."""
    text = base64.b32encode(identity_id[:FINGERPRINT_BYTES]).decode()
    return "-".join(text[i : i + 4] for i in range(0, len(text), 4))


def short_id(identity_id: bytes) -> str:
    """Return the first 8 base32 characters of an id: for logs, never for trust."""
    return base64.b32encode(identity_id[:5]).decode()


def parse_fingerprint(text: str) -> bytes:
    """Return the 20 leading id bytes of a typed fingerprint; case, blanks, dashes don't matter.

    Raises:
        FingerprintError: it is not 32 letters A-Z and digits 2-7 long.
    """
    letters = "".join(text.split()).replace("-", "").upper()
    try:
        prefix = base64.b32decode(letters)
    except (binascii.Error, ValueError):
        prefix = b""
    if len(letters) != 32 or len(prefix) != FINGERPRINT_BYTES:
        raise FingerprintError(
            "this is not a fingerprint: it has 8 groups of 4 letters A-Z or digits 2-7, such as "
            "BK6L-UZEO-...; copy it whole from the other screen"
        )
    return prefix


def _personal(data: bytes, person: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32, person=person).digest()


def _statement(purpose: str, signer_id: bytes, message: ByteString) -> bytes:
    label = purpose.encode()
    return b"".join(
        (b"fedtui-sign-v1", len(label).to_bytes(2, "little"), label, signer_id, message)
    )
