"""Masks against another library's ChaCha20, and against vectors made without this code."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from hypothesis import given
from hypothesis import strategies as st

from fedtui.crypto import keystream

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "secagg.json").read_text())

seeds = st.binary(min_size=32, max_size=32)
indices = st.integers(0, 2**64 - 1) | st.integers(0, 3)


def textbook(seed: bytes, index: int, num_words: int) -> list[int]:
    """RFC 8439's cipher from block 0, under libsodium's nonce, over zeros."""
    number = bytes((index >> 8 * i) & 255 for i in range(8))
    key = hashlib.blake2b(number, digest_size=32, key=seed, person=b"fedtui1-stream").digest()
    counter_and_nonce = bytes(4) + b"LibsodiumDRG"
    stream = Cipher(ChaCha20(key, counter_and_nonce), mode=None).encryptor()
    data = stream.update(bytes(8 * num_words))
    return [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)]


@given(seeds, indices, st.integers(1, 40))
def test_a_chunk_is_chacha20_under_its_own_seed(seed: bytes, index: int, num_words: int) -> None:
    words = keystream.chunk(seed, index, num_words)
    assert words.dtype == np.uint64
    assert words.tolist() == textbook(seed, index, num_words)


@given(seeds, st.integers(0, 2**32))
def test_a_whole_chunk_is_8192_words_of_it(seed: bytes, index: int) -> None:
    words = keystream.chunk(seed, index)
    assert len(words) == keystream.CHUNK_WORDS == 8192
    assert words.tolist() == textbook(seed, index, 8192)
    assert words[:77].tolist() == keystream.chunk(seed, index, 77).tolist()


def test_every_chunk_of_every_seed_is_another() -> None:
    one, other = bytes(32), bytes(31) + b"\1"
    asked = [(seed, index) for seed in (one, other) for index in (0, 1, 2, 255, 256, 2**32)]
    assert len({keystream.chunk(*pair, 4).tobytes() for pair in asked}) == len(asked)


def test_nobody_writes_into_a_mask() -> None:
    with pytest.raises(ValueError, match="read-only"):
        keystream.chunk(bytes(32), 0, 4)[0] = 1


@given(st.lists(seeds, max_size=4), st.lists(seeds, max_size=4), indices, st.integers(1, 20))
def test_adding_and_subtracting_are_sums_modulo_2_64(
    plus: list[bytes], minus: list[bytes], index: int, num_words: int
) -> None:
    start = [2**64 - 1 - 3 * i for i in range(num_words)]
    wanted = list(start)
    for sign, some in ((1, plus), (-1, minus)):
        for seed in some:
            masks = textbook(seed, index, num_words)
            wanted = [(w + sign * m) % 2**64 for w, m in zip(wanted, masks, strict=True)]
    words = np.array(start, np.uint64)
    keystream.add(words, index, iter(plus))
    keystream.subtract(words, index, iter(minus))
    assert words.tolist() == wanted


@pytest.mark.parametrize("vector", VECTORS["masks"])
def test_known_masks(vector: dict[str, str]) -> None:
    words = keystream.chunk(bytes.fromhex(vector["seed"]), int(vector["index"]))
    stream = words.astype("<u8").tobytes()
    assert stream[:32].hex() == vector["first"]
    assert stream[-32:].hex() == vector["last"]
    assert hashlib.blake2b(stream, digest_size=32).hexdigest() == vector["blake2b_256"]
