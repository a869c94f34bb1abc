"""Masks against another library's ChaCha20, a textbook AEGIS-256, and vectors made elsewhere."""

import hashlib
import json
import operator
import platform
import sys
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from hypothesis import given
from hypothesis import strategies as st

from fedtui.crypto import keystream

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "secagg.json").read_text())

KEYSTREAMS: list[keystream.Keystream] = ["chacha20", "aegis256"]

seeds = st.binary(min_size=32, max_size=32)
indices = st.integers(0, 2**64 - 1) | st.integers(0, 3)


def key_of(seed: bytes, index: int) -> bytes:
    number = bytes((index >> 8 * i) & 255 for i in range(8))
    return hashlib.blake2b(number, digest_size=32, key=seed, person=b"fedtui1-stream").digest()


def words_of(data: bytes) -> list[int]:
    return [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)]


def textbook(seed: bytes, index: int, num_words: int) -> list[int]:
    """RFC 8439's cipher from block 0, under libsodium's nonce, over zeros."""
    counter_and_nonce = bytes(4) + b"LibsodiumDRG"
    stream = Cipher(ChaCha20(key_of(seed, index), counter_and_nonce), mode=None).encryptor()
    return words_of(stream.update(bytes(8 * num_words)))


def xor(*parts: bytes) -> bytes:
    return bytes(reduce(operator.xor, column) for column in zip(*parts, strict=True))


def aes_round(block: bytes, key: bytes) -> bytes:
    """One round of AES: bytes replaced, rows shifted, columns mixed, a key added."""
    moved = [SBOX[block[(i + 4 * (i % 4)) % 16]] for i in range(16)]
    columns = (moved[4 * c : 4 * c + 4] for c in range(4))
    mixed = bytes(
        double(c[i]) ^ double(c[(i + 1) % 4]) ^ c[(i + 1) % 4] ^ c[(i + 2) % 4] ^ c[(i + 3) % 4]
        for c in columns
        for i in range(4)
    )
    return xor(mixed, key)


def double(byte: int) -> int:
    return (byte << 1) ^ (0x11B if byte & 0x80 else 0)


def times(one: int, other: int) -> int:
    result = 0
    while other:
        result ^= one * (other & 1)
        one, other = double(one), other >> 1
    return result


def s_of(byte: int) -> int:
    inverse = next((other for other in range(256) if times(byte, other) == 1), 0)
    turned = [((inverse << i) | (inverse >> (8 - i))) & 255 for i in range(5)]
    return reduce(operator.xor, turned) ^ 0x63


SBOX = [s_of(byte) for byte in range(256)]
FIBONACCI = bytes.fromhex("000101020305080d1522375990e97962")
MORE = bytes.fromhex("db3d18556dc22ff12011314273b528dd")


def aegis256(key: bytes, nonce: bytes, num_bytes: int) -> bytes:
    """AEGIS-256 of the draft over zeros, without associated data and tag."""
    keys, nonces = (key[:16], key[16:]), (nonce[:16], nonce[16:])
    both = [xor(k, n) for k, n in zip(keys, nonces, strict=True)]
    state = [*both, MORE, FIBONACCI, xor(keys[0], FIBONACCI), xor(keys[1], MORE)]

    def update(block: bytes) -> None:
        before = [state[5], *state[:5]]
        keyed = [xor(state[0], block), *state[1:]]
        state[:] = [aes_round(b, k) for b, k in zip(before, keyed, strict=True)]

    for _ in range(4):
        for block in (*keys, *both):
            update(block)
    stream = b""
    while len(stream) < num_bytes:
        masked = bytes(a & b for a, b in zip(state[2], state[3], strict=True))
        stream += xor(state[1], state[4], state[5], masked)
        update(bytes(16))
    return stream[:num_bytes]


def test_the_textbook_is_right() -> None:
    """The first vector of draft-irtf-cfrg-aegis-aead for AEGIS-256."""
    key, nonce = bytes.fromhex("1001" + "00" * 30), bytes.fromhex("100002" + "00" * 29)
    assert aegis256(key, nonce, 16).hex() == "754fc3d8c973246dcc6d741412a4b236"


@given(seeds, indices, st.integers(1, 40))
def test_a_chunk_is_chacha20_under_its_own_seed(seed: bytes, index: int, num_words: int) -> None:
    words = keystream.chunk(seed, index, num_words)
    assert words.dtype == np.uint64
    assert words.tolist() == textbook(seed, index, num_words)


@given(seeds, indices, st.integers(1, 9))
def test_or_it_is_aegis256_under_it(seed: bytes, index: int, num_words: int) -> None:
    words = keystream.chunk(seed, index, num_words, by="aegis256")
    assert words.dtype == np.uint64
    assert words.tolist() == words_of(aegis256(key_of(seed, index), bytes(32), 8 * num_words))


def test_the_end_of_a_chunk_is_no_other_if_it_is_short() -> None:
    whole = keystream.chunk(bytes(32), 3, by="aegis256")
    assert len(whole) == 8192
    for num_words in (1, 2, 3, 8191):
        short = keystream.chunk(bytes(32), 3, num_words, by="aegis256")
        assert short.tolist() == whole[:num_words].tolist()


def test_the_processor_says_what_it_is() -> None:
    flags = Path("/proc/cpuinfo").read_text().split() if sys.platform == "linux" else []
    assert isinstance(keystream.processor_has_aes(), bool)
    if platform.machine() == "x86_64" and flags:
        assert keystream.processor_has_aes() == ({"aes", "pclmulqdq"} <= {*flags})


def test_without_an_answer_there_is_no_aes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystream.crypto_aead, "lib", object())
    assert not keystream.processor_has_aes()


@given(seeds, st.integers(0, 2**32))
def test_a_whole_chunk_is_8192_words_of_it(seed: bytes, index: int) -> None:
    words = keystream.chunk(seed, index)
    assert len(words) == keystream.CHUNK_WORDS == 8192
    assert words.tolist() == textbook(seed, index, 8192)
    assert words[:77].tolist() == keystream.chunk(seed, index, 77).tolist()


def test_every_chunk_of_every_seed_is_another() -> None:
    one, other = bytes(32), bytes(31) + b"\1"
    asked = [(seed, index) for seed in (one, other) for index in (0, 1, 2, 255, 256, 2**32)]
    made = {keystream.chunk(*pair, 4, by=by).tobytes() for pair in asked for by in KEYSTREAMS}
    assert len(made) == 2 * len(asked)


@pytest.mark.parametrize("by", KEYSTREAMS)
def test_nobody_writes_into_a_mask(by: keystream.Keystream) -> None:
    with pytest.raises(ValueError, match="read-only"):
        keystream.chunk(bytes(32), 0, 4, by=by)[0] = 1


some = st.lists(seeds, max_size=4)


@given(some, some, indices, st.integers(1, 20), st.sampled_from(KEYSTREAMS))
def test_adding_and_subtracting_are_sums_modulo_2_64(
    plus: list[bytes], minus: list[bytes], index: int, num_words: int, by: keystream.Keystream
) -> None:
    start = [2**64 - 1 - 3 * i for i in range(num_words)]
    wanted = list(start)
    for sign, some in ((1, plus), (-1, minus)):
        for seed in some:
            masks = keystream.chunk(seed, index, num_words, by=by).tolist()
            wanted = [(w + sign * m) % 2**64 for w, m in zip(wanted, masks, strict=True)]
    words = np.array(start, np.uint64)
    keystream.add(words, index, iter(plus), by=by)
    keystream.subtract(words, index, iter(minus), by=by)
    assert words.tolist() == wanted


@pytest.mark.parametrize("vector", VECTORS["masks"])
def test_known_masks(vector: dict[str, Any]) -> None:
    seed, index = bytes.fromhex(vector["seed"]), int(vector["index"])
    words = keystream.chunk(seed, index, by=vector["keystream"])
    stream = words.astype("<u8").tobytes()
    assert stream[:32].hex() == vector["first"]
    assert stream[-32:].hex() == vector["last"]
    assert hashlib.blake2b(stream, digest_size=32).hexdigest() == vector["blake2b_256"]
