"""One encrypted connection without its socket: three handshake messages, then records.

    node (initiator)                    coordinator (responder)
    write_handshake()          M1 -->   read_handshake()
    read_handshake()           <-- M2   write_handshake(ServerHello)
    write_handshake(ClientHello) M3 --> read_handshake()
    seal(), open()             <-->     seal(), open()        each side, any order

A record is ChaCha20-Poly1305 of `type u8 | flags u8 | body` under the direction's key and an
implicit counter that is never sent: what was altered, replayed, reordered or left out fails to
decrypt. The prologue binds the HTTP upgrade as each side saw it. Each direction takes its next key
(Noise REKEY) after 65,536 records. CTRL bodies carry their length and are padded with zeros, so
that the sizes on the wire say little about what is said.

Theirs and ours: whatever the other side got wrong raises a `ChannelError` with the code to close
with, and poisons the channel: every later call raises too. A call of ours out of turn or out of
bounds raises `LocalProtocolError` and changes nothing. The messages of a failed handshake must not
be retried.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from nacl import bindings
from nacl.exceptions import CryptoError as SodiumCryptoError

from fedtui.crypto.keys import ByteString, Identity, KeyPair
from fedtui.crypto.noise import MAX_NONCE, TAG_BYTES, Handshake, rekey
from fedtui.errors import (
    ChannelClosedError,
    ChannelError,
    CryptoError,
    LocalProtocolError,
    RemoteProtocolError,
)

MAX_FRAME_BYTES = 65_535
MAX_PLAINTEXT_BYTES = MAX_FRAME_BYTES - TAG_BYTES
HEADER_BYTES = 2
MAX_BODY_BYTES = MAX_PLAINTEXT_BYTES - HEADER_BYTES
MAX_CTRL_BODY_BYTES = 16 * 1024
MAX_HELLO_BYTES = 1024
CTRL_PADDING_BYTES = 256
REKEY_EVERY = 65_536
HANDSHAKE_OVERHEAD = (32, 96, 64)
"""Bytes of M1, M2 and M3 around their payload."""

_LENGTH_BYTES = 2
_ZERO_PREFIX = bytes(4)


class RecordType(IntEnum):
    """What a record carries."""

    CTRL = 1
    DATA = 2
    CREDIT = 3
    ERROR = 4
    PART = 5


@dataclass(frozen=True, slots=True)
class Record:
    """One opened record. `flags` is 0 to 255 and means what the record's type says."""

    kind: RecordType
    flags: int
    body: bytes


def prologue(path: str, offered: Sequence[str], selected: str) -> bytes:
    """Return what both sides must have seen alike of the HTTP upgrade.

    Args:
        path: the request's path, such as "/fedtui/v1".
        offered: the subprotocols that the initiator offered, in order.
        selected: the one that the responder chose.
    """
    parts = (path, ",".join(offered), selected)
    return b"fedtui\x01" + b"".join(map(_length_prefixed, parts))


class Channel:
    """One side of a connection; see the module for the order of calls."""

    def __init__(self, handshake: Handshake, *, initiator: bool, limits: "Limits") -> None:
        """Use `Channel.initiator` or `Channel.responder`."""
        self._handshake = handshake
        self._is_initiator = initiator
        self._limits = limits
        self._sending: _Direction | None = None
        self._receiving: _Direction | None = None
        self._failure: ChannelError | None = None

    @classmethod
    def initiator(
        cls,
        identity: Identity,
        prologue: bytes,
        ephemeral_secret: bytes,
        *,
        limits: "Limits | None" = None,
    ) -> "Channel":
        """Build the node's side; `ephemeral_secret` is 32 fresh random bytes, used once."""
        return cls._build(identity, prologue, ephemeral_secret, True, limits)

    @classmethod
    def responder(
        cls,
        identity: Identity,
        prologue: bytes,
        ephemeral_secret: bytes,
        *,
        limits: "Limits | None" = None,
    ) -> "Channel":
        """Build the coordinator's side; `ephemeral_secret` is 32 fresh random bytes, used once."""
        return cls._build(identity, prologue, ephemeral_secret, False, limits)

    @classmethod
    def _build(
        cls,
        identity: Identity,
        prologue: bytes,
        ephemeral_secret: bytes,
        initiator: bool,
        limits: "Limits | None",
    ) -> "Channel":
        handshake = Handshake(
            initiator=initiator,
            static=identity.x25519,
            ephemeral=KeyPair.from_secret(ephemeral_secret),
            prologue=prologue,
        )
        return cls(handshake, initiator=initiator, limits=limits or Limits())

    @property
    def established(self) -> bool:
        """The handshake is done and nothing has failed: `seal` and `open` work."""
        return self._sending is not None

    @property
    def remote_x25519(self) -> bytes:
        """The key that the other side proved; known after M2 (node) or M3 (coordinator)."""
        return self._handshake.remote_static

    @property
    def handshake_hash(self) -> bytes:
        """The 64-byte transcript hash, once all three messages are through."""
        if not self._handshake.finished:
            raise LocalProtocolError("the handshake is not finished yet")
        return self._handshake.handshake_hash

    @property
    def session_id(self) -> bytes:
        """16 bytes that name this session on both sides; not secret."""
        return hashlib.blake2b(self.handshake_hash).digest()[:16]

    def write_handshake(self, payload: bytes = b"") -> bytes:
        """Return our next handshake message; M1 has no payload, the others at most 1 KiB."""
        self._check_usable()
        if len(payload) > self._max_payload():
            raise LocalProtocolError(
                f"handshake message {self._handshake.turn + 1} takes {self._max_payload()} bytes "
                f"of payload, not {len(payload)}"
            )
        frame = self._handshake.write(payload)
        self._establish_when_finished()
        return frame

    def read_handshake(self, frame: bytes) -> bytes:
        """Take the other side's next handshake message and return its payload.

        Raises:
            RemoteProtocolError: it has no possible length (4005).
            CryptoError: it is altered, replayed, or made for another prologue or key (4002).
        """
        self._check_usable()
        if self._handshake.finished or self._handshake.writes_next:
            raise LocalProtocolError("no handshake message is expected now")
        try:
            self._check_handshake_length(len(frame))
            payload = self._handshake.read(bytes(frame))
        except ChannelError as error:
            self._fail(error)
            raise
        self._establish_when_finished()
        return payload

    def seal(self, kind: RecordType, body: ByteString, flags: int = 0) -> bytes:
        """Return the next record as the bytes of one binary websocket message.

        Raises:
            LocalProtocolError: the body is too long for its type; the channel stays usable.
            ChannelClosedError: the counter is used up; close and connect anew.
        """
        return self.seal_parts(kind, body, flags=flags)

    def seal_parts(self, kind: RecordType, *parts: ByteString, flags: int = 0) -> bytes:
        """Like `seal`, for a body in parts: they are copied once, into the record."""
        self._check_usable()
        direction = self._direction(self._sending)
        plaintext = _plaintext(kind, flags, parts)
        try:
            return direction.encrypt(plaintext)
        except ChannelError as error:
            self._fail(error)
            raise

    def open(self, frame: bytes) -> Record:
        """Return the record in one binary websocket message.

        Raises:
            RemoteProtocolError: wrong length, unknown type or bad padding (4005).
            CryptoError: altered, replayed, out of order, or under another key (4002).
            ChannelClosedError: the counter is used up; close and connect anew.
        """
        self._check_usable()
        direction = self._direction(self._receiving)
        try:
            if not HEADER_BYTES + TAG_BYTES <= len(frame) <= MAX_FRAME_BYTES:
                raise RemoteProtocolError(f"no record has {len(frame)} bytes")
            return _record(direction.decrypt(bytes(frame)))
        except ChannelError as error:
            self._fail(error)
            raise

    def __repr__(self) -> str:
        """Show role and state, no keys."""
        role = "initiator" if self._is_initiator else "responder"
        state = "failed" if self._failure else "established" if self.established else "handshake"
        return f"Channel({role}, {state})"

    def _max_payload(self) -> int:
        return 0 if self._handshake.turn == 0 else MAX_HELLO_BYTES

    def _check_handshake_length(self, size: int) -> None:
        turn = self._handshake.turn
        least = HANDSHAKE_OVERHEAD[turn]
        if not least <= size <= least + self._max_payload():
            raise RemoteProtocolError(f"handshake message {turn + 1} cannot have {size} bytes")

    def _establish_when_finished(self) -> None:
        if not self._handshake.finished:
            return
        to_responder, to_initiator = self._handshake.split()
        ours, theirs = to_responder, to_initiator
        if not self._is_initiator:
            ours, theirs = theirs, ours
        self._sending = _Direction(ours, self._limits)
        self._receiving = _Direction(theirs, self._limits)

    def _direction(self, direction: "_Direction | None") -> "_Direction":
        if direction is None:
            raise LocalProtocolError("records come after the handshake")
        return direction

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise ChannelError(
                f"this connection failed before: {self._failure}", code=self._failure.code
            )

    def _fail(self, error: ChannelError) -> None:
        self._failure = error
        self._sending = self._receiving = None


@dataclass(frozen=True, slots=True)
class Limits:
    """When a direction takes its next key, and after how many records it ends."""

    rekey_every: int = REKEY_EVERY
    max_records: int = MAX_NONCE


class _Direction:
    """Key and counter of one direction."""

    __slots__ = ("_key", "_limits", "_num_records")

    def __init__(self, key: bytes, limits: Limits) -> None:
        self._key = key
        self._limits = limits
        self._num_records = 0

    def encrypt(self, plaintext: bytes) -> bytes:
        nonce = self._nonce()
        frame = bindings.crypto_aead_chacha20poly1305_ietf_encrypt(
            plaintext, None, nonce, self._key
        )
        self._advance()
        return frame

    def decrypt(self, frame: bytes) -> bytes:
        nonce = self._nonce()
        try:
            plaintext = bindings.crypto_aead_chacha20poly1305_ietf_decrypt(
                frame, None, nonce, self._key
            )
        except SodiumCryptoError as error:
            raise CryptoError("a record was altered, replayed or left out") from error
        self._advance()
        return plaintext

    def _nonce(self) -> bytes:
        if self._num_records >= self._limits.max_records:
            raise ChannelClosedError("this session has sent all records that it may: connect anew")
        return _ZERO_PREFIX + self._num_records.to_bytes(8, "little")

    def _advance(self) -> None:
        self._num_records += 1
        if self._num_records % self._limits.rekey_every == 0:
            self._key = rekey(self._key)


def _plaintext(kind: RecordType, flags: int, parts: tuple[ByteString, ...]) -> bytes:
    if not 0 <= flags <= 255:
        raise LocalProtocolError(f"flags are one byte, not {flags}")
    header = bytes((kind, flags))
    size = sum(part.nbytes if isinstance(part, memoryview) else len(part) for part in parts)
    if kind is not RecordType.CTRL:
        if size > MAX_BODY_BYTES:
            raise LocalProtocolError(
                f"a record's body has at most {MAX_BODY_BYTES} bytes, not {size}"
            )
        return b"".join((header, *parts))
    if size > MAX_CTRL_BODY_BYTES:
        raise LocalProtocolError(
            f"a control message has at most {MAX_CTRL_BODY_BYTES} bytes, not {size}"
        )
    padding = -(HEADER_BYTES + _LENGTH_BYTES + size) % CTRL_PADDING_BYTES
    return b"".join((header, size.to_bytes(_LENGTH_BYTES, "little"), *parts, bytes(padding)))


def _record(plaintext: bytes) -> Record:
    try:
        kind = RecordType(plaintext[0])
    except ValueError as error:
        raise RemoteProtocolError(f"no record has type {plaintext[0]}") from error
    body = plaintext[HEADER_BYTES:]
    if kind is RecordType.CTRL:
        body = _unpadded(body)
    return Record(kind, plaintext[1], body)


def _unpadded(body: bytes) -> bytes:
    """Undo the padding, and refuse every other way of writing the same message."""
    size = int.from_bytes(body[:_LENGTH_BYTES], "little")
    end = _LENGTH_BYTES + size
    padding = body[end:]
    whole = (HEADER_BYTES + len(body)) % CTRL_PADDING_BYTES == 0
    if not whole or end > len(body) or len(padding) >= CTRL_PADDING_BYTES or any(padding):
        raise RemoteProtocolError("a control message is padded wrongly")
    if size > MAX_CTRL_BODY_BYTES:
        raise RemoteProtocolError(f"a control message has {size} bytes")
    return body[_LENGTH_BYTES:end]


def _length_prefixed(text: str) -> bytes:
    # Whatever bytes the other side put into its request come back out unchanged.
    data = text.encode("utf-8", "surrogateescape")
    return len(data).to_bytes(4, "little") + data
