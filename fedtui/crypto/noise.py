"""The Noise handshake XX with 25519, ChaChaPoly and BLAKE2b (noiseprotocol.org, revision 34).

    XX:   1  initiator -> responder   e
          2  responder -> initiator   e, ee, s, es
          3  initiator -> responder   s, se

Each token is done by the writer and mirrored by the reader: `e` and `s` carry a public key (`s`
encrypted once a key exists), `ee es se` mix a Diffie-Hellman result into the keys. `ck` is the
chaining key, `h` the transcript hash that every encryption authenticates. Section numbers in
comments are the specification's. Checked against published vectors and differentially against
another implementation; not audited.

The ephemeral secret is an argument. Use it for one handshake only: reuse breaks every guarantee
here.
"""

import hashlib
import hmac

from nacl import bindings
from nacl.exceptions import CryptoError as SodiumCryptoError

from fedtui.crypto.keys import KEY_BYTES, KeyPair
from fedtui.errors import CryptoError, LocalProtocolError

PROTOCOL_NAME = b"Noise_XX_25519_ChaChaPoly_BLAKE2b"
PATTERN = (("e",), ("e", "ee", "s", "es"), ("s", "se"))
MAX_MESSAGE_BYTES = 65_535
TAG_BYTES = 16
MAX_NONCE = 2**64 - 1
"""Reserved for `rekey` (section 5.1): no message is ever encrypted under it."""


def seal(key: bytes, nonce: int, ad: bytes, plaintext: bytes) -> bytes:
    """ENCRYPT of section 12.3: ChaCha20-Poly1305 with a nonce of 4 zero bytes and LE64."""
    return bindings.crypto_aead_chacha20poly1305_ietf_encrypt(
        plaintext, ad, bytes(4) + nonce.to_bytes(8, "little"), key
    )


def unseal(key: bytes, nonce: int, ad: bytes, ciphertext: bytes) -> bytes:
    """DECRYPT of section 12.3.

    Raises:
        CryptoError: key, nonce, associated data and ciphertext do not belong together.
    """
    if len(ciphertext) < TAG_BYTES:
        raise CryptoError("an encrypted message is too short to be one")
    try:
        return bindings.crypto_aead_chacha20poly1305_ietf_decrypt(
            ciphertext, ad, bytes(4) + nonce.to_bytes(8, "little"), key
        )
    except SodiumCryptoError as error:
        raise CryptoError(
            "a message was altered, replayed or encrypted with another key"
        ) from error


def rekey(key: bytes) -> bytes:
    """REKEY of section 11.3: the next key; the old one cannot be computed from it."""
    return seal(key, MAX_NONCE, b"", bytes(32))[:KEY_BYTES]


def hkdf(chaining_key: bytes, material: bytes) -> tuple[bytes, bytes]:
    """HKDF of section 4.3 with two outputs of 64 bytes."""
    temporary = _hmac(chaining_key, material)
    first = _hmac(temporary, b"\x01")
    return first, _hmac(temporary, first + b"\x02")


class Handshake:
    """One side of one handshake: `write` and `read` in turn, three messages, then `split`.

    A failed `read` leaves the handshake unusable: drop it. Messages out of turn are our own bug.
    """

    def __init__(
        self, *, initiator: bool, static: KeyPair, ephemeral: KeyPair, prologue: bytes
    ) -> None:
        """Both sides must pass the same `prologue`, or the first encrypted message fails."""
        self._initiator = initiator
        self._static = static
        self._ephemeral = ephemeral
        self._remote_static: bytes | None = None
        self._remote_ephemeral: bytes | None = None
        self._turn = 0
        self._key: bytes | None = None
        self._nonce = 0
        # Section 5.2: a name that fits is padded, not hashed, to HASHLEN.
        self._hash = self._chaining_key = PROTOCOL_NAME.ljust(64, b"\0")
        self._mix_hash(prologue)

    @property
    def finished(self) -> bool:
        """All three messages are through."""
        return self._turn == len(PATTERN)

    @property
    def turn(self) -> int:
        """How many messages are through: 0 to 3."""
        return self._turn

    @property
    def writes_next(self) -> bool:
        """The next message is ours."""
        return not self.finished and (self._turn % 2 == 0) == self._initiator

    @property
    def handshake_hash(self) -> bytes:
        """The 64-byte transcript hash `h`: equal on both sides if and only if all they saw is."""
        return self._hash

    @property
    def remote_static(self) -> bytes:
        """The X25519 key that the other side proved; known after message 2 or 3."""
        if self._remote_static is None:
            raise LocalProtocolError("the other side's key is not known yet")
        return self._remote_static

    def write(self, payload: bytes) -> bytes:
        """Return the next message of ours, with `payload` inside (encrypted from message 2 on)."""
        if not self.writes_next:
            raise LocalProtocolError(f"handshake message {self._turn + 1} is not ours to write")
        parts = [self._write_step(step) for step in PATTERN[self._turn]]
        parts.append(self._encrypt_and_hash(payload))
        self._turn += 1
        return b"".join(parts)

    def read(self, message: bytes) -> bytes:
        """Take the other side's next message and return the payload in it.

        Raises:
            CryptoError: it is malformed, altered, or made for another prologue or key.
        """
        if self.finished or self.writes_next:
            raise LocalProtocolError(f"handshake message {self._turn + 1} is not ours to read")
        if len(message) > MAX_MESSAGE_BYTES:
            raise CryptoError("a handshake message is longer than any can be")
        for step in PATTERN[self._turn]:
            message = self._read_step(step, message)
        payload = self._decrypt_and_hash(message)
        self._turn += 1
        return payload

    def split(self) -> tuple[bytes, bytes]:
        """Return the transport keys (initiator to responder, responder to initiator)."""
        if not self.finished:
            raise LocalProtocolError("the handshake is not finished yet")
        first, second = hkdf(self._chaining_key, b"")
        return first[:KEY_BYTES], second[:KEY_BYTES]

    def _write_step(self, step: str) -> bytes:
        if step == "e":
            self._mix_hash(self._ephemeral.public)
            return self._ephemeral.public
        if step == "s":
            return self._encrypt_and_hash(self._static.public)
        self._mix_key(self._agree(step))
        return b""

    def _read_step(self, step: str, message: bytes) -> bytes:
        if step == "e":
            self._remote_ephemeral, rest = _take(message, KEY_BYTES)
            self._mix_hash(self._remote_ephemeral)
            return rest
        if step == "s":
            # In XX a key exists before any `s`, so it is always encrypted.
            encrypted, rest = _take(message, KEY_BYTES + TAG_BYTES)
            self._remote_static = self._decrypt_and_hash(encrypted)
            return rest
        self._mix_key(self._agree(step))
        return message

    def _agree(self, step: str) -> bytes:
        """Do the Diffie-Hellman of `ee`, `es` or `se`: the initiator's key is named first."""
        ours, theirs = (step[0], step[1]) if self._initiator else (step[1], step[0])
        pair = self._ephemeral if ours == "e" else self._static
        public = self._remote_ephemeral if theirs == "e" else self._remote_static
        if public is None:  # the pattern sends every key before it is used
            raise LocalProtocolError("the other side's key is not known yet")
        return pair.agree(public)

    def _mix_hash(self, data: bytes) -> None:
        self._hash = hashlib.blake2b(self._hash + data).digest()

    def _mix_key(self, material: bytes) -> None:
        self._chaining_key, temporary = hkdf(self._chaining_key, material)
        self._key = temporary[:KEY_BYTES]
        self._nonce = 0

    def _encrypt_and_hash(self, plaintext: bytes) -> bytes:
        ciphertext = plaintext
        if self._key is not None:
            ciphertext = seal(self._key, self._nonce, self._hash, plaintext)
            self._nonce += 1
        self._mix_hash(ciphertext)  # also when empty: section 5.2 has no exception
        return ciphertext

    def _decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        plaintext = ciphertext
        if self._key is not None:
            plaintext = unseal(self._key, self._nonce, self._hash, ciphertext)
            self._nonce += 1
        self._mix_hash(ciphertext)
        return plaintext


def _take(message: bytes, size: int) -> tuple[bytes, bytes]:
    if len(message) < size:
        raise CryptoError("a handshake message is too short")
    return message[:size], message[size:]


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.blake2b).digest()
