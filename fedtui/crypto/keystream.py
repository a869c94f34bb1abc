"""A seed becomes a vector of masks: uniform 64-bit words, chunk by chunk, in any order.

    chunk_seed(i) = BLAKE2b-256(i as u64 little-endian, key=seed, person="fedtui1-stream")
    chunk i       = the first 8 * n bytes of ChaCha20 under chunk_seed(i)   (libsodium, RFC 8439's
                    cipher with the nonce "LibsodiumDRG"), read as little-endian u64

Every chunk has a seed of its own, so chunks can be made in any order and by many threads: both
libsodium and numpy let go of the interpreter lock. A chunk has 8,192 words, 64 KiB: it stays in
the cache, and below the size from which malloc asks the kernel for every buffer. The same numbers
are a constant of the protocol: other sizes give other masks.

Never numpy's generators: their output can be told from random and run backwards.
"""

import hashlib
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from nacl.bindings import randombytes_buf_deterministic

from fedtui.errors import LocalProtocolError

CHUNK_WORDS = 8192
SEED_BYTES = 32
_WORD_BYTES = 8

Words: TypeAlias = npt.NDArray[np.uint64]


def chunk(seed: bytes, index: int, num_words: int = CHUNK_WORDS) -> Words:
    """Return the first `num_words` (at most 8,192) masks of chunk `index`; uint64, read-only."""
    if len(seed) != SEED_BYTES or num_words > CHUNK_WORDS:
        raise LocalProtocolError(
            f"a mask has a seed of {SEED_BYTES} bytes and chunks of {CHUNK_WORDS} words"
        )
    chunk_seed = hashlib.blake2b(
        index.to_bytes(8, "little"), digest_size=SEED_BYTES, key=seed, person=b"fedtui1-stream"
    ).digest()
    stream = randombytes_buf_deterministic(_WORD_BYTES * num_words, chunk_seed)
    return np.frombuffer(stream, "<u8")


def add(words_C: Words, index: int, seeds: Iterable[bytes]) -> None:
    """Add chunk `index` of every seed's masks to `words_C`, in place, modulo 2**64."""
    for seed in seeds:
        np.add(words_C, chunk(seed, index, len(words_C)), out=words_C)


def subtract(words_C: Words, index: int, seeds: Iterable[bytes]) -> None:
    """Take chunk `index` of every seed's masks away from `words_C`, in place, modulo 2**64."""
    for seed in seeds:
        np.subtract(words_C, chunk(seed, index, len(words_C)), out=words_C)
