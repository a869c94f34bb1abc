r"""One model as a change of another: the form that travels and lies beside checkpoints.

    change   MAGIC | bits u8 | num_values u64 | digest of the base | block* | digest of the model
    block    form u8 | length u32 | body     of BLOCK values, fewer in the last one; little-endian

A body holds, stored (form 0) or as one zstd frame (form 1), whichever is smaller, exactly

    32 bits   base XOR model, of their float32 bits, as four planes: all low bytes first
    16 bits   a float32 scale for every SPAN values, then a zigzag u16 each, as two planes
     8 bits   the scales, then an int8 each
     4 bits   the scales, then two values a byte, the first one low, each 8 above itself

With fewer than 32 bits a model *is* `base + level * scale`, one float32 product and one float32
sum a value, so everybody who has the base makes the same model to the last bit. Both sides know
the number of values, so nothing here allocates more than a block of them, whatever a change says.
Several changes, one after the other, lead from an older model to the newest.

Shapes: `_B` is one block of float32 values, `_S` one float32 scale a span.
"""

import struct
from collections.abc import Callable
from hashlib import blake2b
from typing import Literal, TypeAlias

import numpy as np
import zstandard
from numpy.typing import NDArray

from fedtui.errors import FedtuiError
from fedtui.learning.params import Vector
from fedtui.wire.tensors import to_bytes

Bits: TypeAlias = Literal[32, 16, 8, 4]
Levels: TypeAlias = NDArray[np.int32]

MAGIC = b"fedtchg1"
BLOCK = 2**16
SPAN = 256
HEADER = struct.Struct("<8sBQ32s")
DIGEST_BYTES = 32
_BLOCK_HEAD = struct.Struct("<BI")
_STORED, _ZSTD = 0, 1
_MAX_WINDOW = 2**23
_KNOWN_BITS = (32, 16, 8, 4)


class ChangeError(FedtuiError, ValueError):
    """Bytes that are no change, or not of this base; the text says which."""


def largest_level(bits: Bits) -> int:
    """Levels of fewer than 32 bits go from minus this to this."""
    return (1 << bits - 1) - 1


def header(bits: Bits, num_values: int, base: bytes) -> bytes:
    """What a change of the model with digest `base` begins with."""
    return HEADER.pack(MAGIC, bits, num_values, base)


def block(plain: bytes, compressor: zstandard.ZstdCompressor) -> bytes:
    """A body as it is written, compressed where that is shorter."""
    packed = compressor.compress(plain)
    form, body = (_ZSTD, packed) if len(packed) < len(plain) else (_STORED, plain)
    return _BLOCK_HEAD.pack(form, len(body)) + body


def exact(base_B: Vector, model_B: Vector) -> bytes:
    """The body of 32 bits, which loses nothing."""
    return _planes(np.bitwise_xor(_bits_of(base_B), _bits_of(model_B)))


def coarse(scales_S: Vector, levels_B: Levels, bits: Bits) -> bytes:
    """The body of fewer bits; levels are within `largest_level`, a scale for every SPAN."""
    if bits == 16:
        zigzag = np.where(levels_B < 0, -2 * levels_B - 1, 2 * levels_B)
        values = _planes(zigzag.astype("<u2"))
    elif bits == 8:
        values = levels_B.astype(np.int8).tobytes()
    else:
        nibbles = np.full(len(levels_B) + len(levels_B) % 2, 8, np.uint8)
        nibbles[: len(levels_B)] = levels_B + 8
        values = (nibbles[::2] | nibbles[1::2] << 4).tobytes()
    return scales_S.astype("<f4").tobytes() + values


def body_bytes(bits: Bits, num_values: int) -> int:
    """Length of a body before compression."""
    if bits == 32:
        return 4 * num_values
    return 4 * num_spans(num_values) + -(-num_values * bits // 8)


def num_spans(num_values: int) -> int:
    """How many scales go with so many values."""
    return -(-num_values // SPAN)


def apply(bits: Bits, base_B: Vector, plain: bytes) -> Vector:
    """The model's block that this body of `body_bytes` makes of the base's.

    Any values can come of a change by a stranger, NaN too: the model's digest tells.
    """
    num = len(base_B)
    if bits == 32:
        both = np.bitwise_xor(_bits_of(base_B), _whole(plain, 4, num).view("<u4").ravel())
        exact_B: Vector = both.view("<f4").astype(np.float32, copy=False)
        return exact_B
    split = 4 * num_spans(num)
    scales_S = np.frombuffer(plain[:split], "<f4")
    rest = plain[split:]
    if bits == 16:
        zigzag = _whole(rest, 2, num).view("<u2").ravel().astype(np.int32)
        levels_B = (zigzag >> 1) ^ -(zigzag & 1)
    elif bits == 8:
        levels_B = np.frombuffer(rest, np.int8).astype(np.int32)
    else:
        pairs = np.frombuffer(rest, np.uint8)
        levels_B = np.stack((pairs & 15, pairs >> 4), axis=1).ravel()[:num].astype(np.int32) - 8
    return moved(base_B, np.repeat(scales_S, SPAN)[:num], levels_B)


def moved(base_B: Vector, scale_B: Vector, levels_B: Levels) -> Vector:
    """`base + level * scale`, each step in float32: the model of a change of fewer bits."""
    with np.errstate(all="ignore"):
        step_B: Vector = levels_B.astype(np.float32) * scale_B.astype(np.float32, copy=False)
        return base_B.astype(np.float32, copy=False) + step_B


class Applying:
    """Makes a model of its base as the bytes of one change come in; memory is one block.

    `read` gives base values (first, count), `write` takes the model's bytes in order.
    """

    def __init__(
        self,
        num_values: int,
        base: bytes,
        read: Callable[[int, int], Vector],
        write: Callable[[memoryview], object],
    ) -> None:
        self._num_values = num_values
        self._base = base
        self._read = read
        self._write = write
        self._hash = blake2b(digest_size=DIGEST_BYTES)
        self._held = bytearray()
        self._take: Callable[[bytes], None] = self._on_header
        self._wanted = HEADER.size
        self._bits: Bits = 32
        self._form = _STORED
        self._first = 0
        self.digest: bytes | None = None  # of the model, once it is whole

    def feed(self, data: memoryview) -> int:
        """Take bytes of the change; how many there were of it, fewer than all once it is whole.

        Raises:
            ChangeError: this is no change of that base. OSError as `read` and `write`.
        """
        taken = 0
        while self.digest is None and taken < len(data):
            part = data[taken : taken + self._wanted - len(self._held)]
            self._held += part
            taken += len(part)
            if len(self._held) == self._wanted:
                whole, self._held = bytes(self._held), bytearray()
                self._take(whole)
        return taken

    def _next(self, wanted: int, take: Callable[[bytes], None]) -> None:
        self._wanted, self._take = wanted, take

    def _on_header(self, data: bytes) -> None:
        magic, bits, num_values, base = HEADER.unpack(data)
        if magic != MAGIC or bits not in _KNOWN_BITS:
            raise ChangeError("it is no change of a model that this version reads")
        if num_values != self._num_values:
            raise ChangeError(f"it is of {num_values} values, not {self._num_values}")
        if base != self._base:
            raise ChangeError("it begins with another model than the one here")
        self._bits = bits
        self._next(_BLOCK_HEAD.size, self._on_block_head)

    @property
    def _num_here(self) -> int:
        """How many values the block at hand has."""
        return min(BLOCK, self._num_values - self._first)

    def _on_block_head(self, data: bytes) -> None:
        self._form, length = _BLOCK_HEAD.unpack(data)
        plain = body_bytes(self._bits, self._num_here)
        right = length == plain if self._form == _STORED else 0 < length < plain
        if self._form not in {_STORED, _ZSTD} or not right:
            raise ChangeError(f"a block has {length} bytes in form {self._form}")
        self._next(length, self._on_body)

    def _on_body(self, data: bytes) -> None:
        num = self._num_here
        plain = data
        if self._form == _ZSTD:
            plain = _unpacked(data, body_bytes(self._bits, num))
        made = to_bytes(apply(self._bits, self._read(self._first, num), plain))
        self._hash.update(made)
        self._write(made)
        self._first += num
        if self._first < self._num_values:
            self._next(_BLOCK_HEAD.size, self._on_block_head)
        else:
            self._next(DIGEST_BYTES, self._on_digest)

    def _on_digest(self, data: bytes) -> None:
        if self._hash.digest() != data:
            raise ChangeError("the model that it makes has another digest than it says")
        self.digest = data


def _unpacked(packed: bytes, num_bytes: int) -> bytes:
    """Exactly `num_bytes`, said by the frame before anything is allocated. Raises ChangeError."""
    try:
        frame = zstandard.get_frame_parameters(packed)
        if frame.content_size != num_bytes or frame.window_size > _MAX_WINDOW:
            raise ChangeError(f"a compressed block is not of {num_bytes} bytes")
        plain: bytes = zstandard.ZstdDecompressor().decompress(packed, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ChangeError(f"a compressed block is damaged ({error})") from error
    if len(plain) != num_bytes:
        raise ChangeError(f"a compressed block is not of {num_bytes} bytes")
    return plain


def _bits_of(vector_B: Vector) -> NDArray[np.uint32]:
    return np.ascontiguousarray(vector_B, "<f4").view("<u4")


def _planes(words: NDArray[np.unsignedinteger]) -> bytes:
    """The low bytes of all words, then the next ones."""
    return words.view(np.uint8).reshape(len(words), -1).T.tobytes()


def _whole(planes: bytes, width: int, num: int) -> NDArray[np.uint8]:
    """The words' bytes side by side again, [num, width]."""
    return np.ascontiguousarray(np.frombuffer(planes, np.uint8).reshape(width, num).T)
