"""Changes of models: exact or refused, and never larger in memory than a block."""

import contextlib
import tracemalloc
from hashlib import blake2b
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fedtui.wire import changes
from fedtui.wire.changes import BLOCK, HEADER, SPAN, Applying, Bits, ChangeError

BASE_DIGEST = b"b" * 32
BITS: tuple[Bits, ...] = (32, 16, 8, 4)


def digest_of(vector_D: np.ndarray) -> bytes:
    return blake2b(vector_D.astype("<f4").tobytes(), digest_size=32).digest()


def change_of(base_D: np.ndarray, bits: Bits, rng: np.random.Generator) -> tuple[bytes, Any]:
    """A change made by hand, and the model that the format says it makes."""
    packer = zstandard.ZstdCompressor()
    data, made = changes.header(bits, len(base_D), BASE_DIGEST), []
    for first in range(0, len(base_D), BLOCK):
        base_B = base_D[first : first + BLOCK]
        if bits == 32:
            model_B = (base_B + rng.normal(0, 1e-3, len(base_B))).astype(np.float32)
            plain = changes.exact(base_B, model_B)
        else:
            most = changes.largest_level(bits)
            scales_S = rng.uniform(0, 1e-3, changes.num_spans(len(base_B))).astype(np.float32)
            levels_B = rng.integers(-most, most + 1, len(base_B)).astype(np.int32)
            plain = changes.coarse(scales_S, levels_B, bits)
            each_B = scales_S[np.arange(len(base_B)) // SPAN]
            model_B = base_B + levels_B.astype(np.float32) * each_B
        assert len(plain) == changes.body_bytes(bits, len(base_B))
        data += changes.block(plain, packer)
        made.append(model_B)
    model_D = np.concatenate(made)
    return data + digest_of(model_D), model_D


def applied(data: bytes, base_D: np.ndarray, *, piece: int = 2**20) -> tuple[bytes, bytes | None]:
    """What comes of a change, fed in pieces; the bytes of the model and its digest if whole."""
    made = bytearray()
    one = Applying(
        len(base_D), BASE_DIGEST, lambda first, num: base_D[first : first + num], made.extend
    )
    for start in range(0, len(data), piece):
        part = memoryview(data)[start : start + piece]
        if one.feed(part) < len(part):
            raise ChangeError("more than a change")
    return bytes(made), one.digest


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("num_values", [1, 255, 257, BLOCK, BLOCK + 1])
def test_a_change_makes_the_model_to_the_last_bit(bits: Bits, num_values: int) -> None:
    rng = np.random.default_rng(num_values)
    base_D = rng.normal(0, 0.1, num_values).astype(np.float32)
    data, model_D = change_of(base_D, bits, rng)
    for piece in (2**20, 1000, 7):
        if len(data) // piece < 20_000:
            assert applied(data, base_D, piece=piece) == (
                model_D.tobytes(),
                digest_of(model_D),
            )


@given(st.binary(min_size=4, max_size=400), st.binary(min_size=4, max_size=400))
def test_32_bits_keep_every_pattern(one: bytes, other: bytes) -> None:
    """NaN, subnormal numbers and minus zero too."""
    num = min(len(one), len(other)) // 4
    base_B, model_B = (np.frombuffer(data[: 4 * num], "<f4") for data in (one, other))
    made_B = changes.apply(32, base_B, changes.exact(base_B, model_B))
    assert made_B.tobytes() == model_B.tobytes()


@given(
    st.sampled_from(BITS),
    st.integers(1, 600),
    st.integers(0, 2**32),
    st.data(),
)
def test_whatever_is_changed_in_a_change_it_is_refused(
    bits: Bits, num_values: int, seed: int, draw: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    base_D = rng.normal(0, 0.1, num_values).astype(np.float32)
    data, model_D = change_of(base_D, bits, rng)
    cut = draw.draw(st.integers(0, len(data) - 1))
    assert applied(data[:cut], base_D)[1] is None, "a change cut short is never whole"
    at = draw.draw(st.integers(0, len(data) - 1))
    bad = bytearray(data)
    bad[at] ^= draw.draw(st.integers(1, 255))
    try:
        made, digest = applied(bytes(bad), base_D)
    except ChangeError:
        return
    # A flag of the frame may be written in two ways: then it is the same model, or nothing.
    assert digest is None or (made == model_D.tobytes() and digest == digest_of(model_D))


@given(st.binary(max_size=200))
def test_noise_is_refused_or_unfinished(data: bytes) -> None:
    base_D = np.zeros(10, np.float32)
    for start in (b"", changes.header(8, 10, BASE_DIGEST)):
        with contextlib.suppress(ChangeError):
            assert applied(start + data, base_D)[1] is None


def frame_of(num_bytes: int, **options: Any) -> bytes:
    packer = zstandard.ZstdCompressor(**options)
    return packer.compress(bytes(num_bytes))


@pytest.mark.parametrize(
    "body",
    [
        frame_of(2**30),  # a bomb that says what it is
        frame_of(1000) + frame_of(2**24),  # two frames
        frame_of(2**24, write_content_size=False),  # one that does not say
    ],
)
def test_a_bomb_is_refused_before_it_takes_memory(body: bytes) -> None:
    num = BLOCK
    base_D = np.zeros(num, np.float32)
    head = changes.header(32, num, BASE_DIGEST) + changes._BLOCK_HEAD.pack(1, len(body))
    tracemalloc.start()
    try:
        with pytest.raises(ChangeError):
            applied(head + body, base_D)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_it_says_what_does_not_fit() -> None:
    base_D = np.zeros(10, np.float32)
    for head, why in (
        (HEADER.pack(b"fedtchg9", 8, 10, BASE_DIGEST), "this version"),
        (HEADER.pack(changes.MAGIC, 7, 10, BASE_DIGEST), "this version"),
        (changes.header(8, 11, BASE_DIGEST), "11 values, not 10"),
        (changes.header(8, 10, b"x" * 32), "another model"),
    ):
        with pytest.raises(ChangeError, match=why):
            applied(head, base_D)
