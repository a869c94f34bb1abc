"""A seed becomes a vector of masks: uniform 64-bit words, chunk by chunk, in any order.

    chunk_seed(i) = BLAKE2b-256(i as u64 little-endian, key=seed, person="fedtui1-stream")
    chunk i       = the first 8 * n bytes of one of these under the key chunk_seed(i), read as u64
                    little-endian:

    chacha20        RFC 8439's cipher with the nonce "LibsodiumDRG", from block 0
    aegis256        AEGIS-256 (draft-irtf-cfrg-aegis-aead) with a nonce of zeros, over zeros and
                    without associated data; the tag is dropped

Both come from libsodium. AEGIS is two to three times as fast where the processor has AES, right
everywhere, and slower than ChaCha20 where it has not; so nodes say which they are, and a plan that
names it gets it in the rounds in which all of them have AES (secagg/context.py).

Every chunk has a seed of its own, so chunks can be made in any order and by many threads: both
libsodium and numpy let go of the interpreter lock. A chunk has 8,192 words, 64 KiB: it stays in
the cache, and below the size from which malloc asks the kernel for every buffer. The same numbers
are a constant of the protocol: other sizes give other masks.

Never numpy's generators: their output can be told from random and run backwards.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from nacl.bindings import (
    crypto_aead,
    crypto_aead_aegis256_ABYTES,
    crypto_aead_aegis256_encrypt,
    randombytes_buf_deterministic,
)

from fedtui.errors import LocalProtocolError

CHUNK_WORDS = 8192
SEED_BYTES = 32
_WORD_BYTES = 8
_NONCE = bytes(32)
_ZEROS = bytes(_WORD_BYTES * CHUNK_WORDS)

Words: TypeAlias = npt.NDArray[np.uint64]
Keystream = Literal["chacha20", "aegis256"]


def chunk(
    seed: bytes, index: int, num_words: int = CHUNK_WORDS, *, by: Keystream = "chacha20"
) -> Words:
    """Return the first `num_words` (at most 8,192) masks of chunk `index`; uint64, read-only."""
    if len(seed) != SEED_BYTES or num_words > CHUNK_WORDS:
        raise LocalProtocolError(
            f"a mask has a seed of {SEED_BYTES} bytes and chunks of {CHUNK_WORDS} words"
        )
    chunk_seed = hashlib.blake2b(
        index.to_bytes(8, "little"), digest_size=SEED_BYTES, key=seed, person=b"fedtui1-stream"
    ).digest()
    num_bytes = _WORD_BYTES * num_words
    if by == "chacha20":
        stream = randombytes_buf_deterministic(num_bytes, chunk_seed)
    else:
        stream = crypto_aead_aegis256_encrypt(_ZEROS[:num_bytes], None, _NONCE, chunk_seed)
        if len(stream) != num_bytes + crypto_aead_aegis256_ABYTES:
            raise LocalProtocolError("this libsodium's AEGIS-256 has another tag")
    return np.frombuffer(stream, "<u8", num_words)


def add(words_C: Words, index: int, seeds: Iterable[bytes], *, by: Keystream = "chacha20") -> None:
    """Add chunk `index` of every seed's masks to `words_C`, in place, modulo 2**64."""
    for seed in seeds:
        np.add(words_C, chunk(seed, index, len(words_C), by=by), out=words_C)


def subtract(
    words_C: Words, index: int, seeds: Iterable[bytes], *, by: Keystream = "chacha20"
) -> None:
    """Take chunk `index` of every seed's masks away from `words_C`, in place, modulo 2**64."""
    for seed in seeds:
        np.subtract(words_C, chunk(seed, index, len(words_C), by=by), out=words_C)


def processor_has_aes() -> bool:
    """Whether libsodium found AES instructions here.

    PyNaCl holds the question, but does not export it; without an answer it is no.
    """
    library = getattr(crypto_aead, "lib", None)
    ask = getattr(library, "crypto_aead_aes256gcm_is_available", None)
    return ask is not None and bool(ask() == 1)
