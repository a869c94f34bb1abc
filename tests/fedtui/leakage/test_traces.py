"""Numbers are found in bytes wherever they begin, chance is not taken for numbers, nor text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedtui.leakage import traces

RNG = np.random.default_rng(0)
CHANCE = RNG.bytes(100_000)


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
@pytest.mark.parametrize("at", [0, 1, 5_003])
def test_a_vector_is_found_in_the_midst_of_chance(kind: str, at: int) -> None:
    vector = RNG.normal(0, 0.01, 300).astype(kind).tobytes()
    found = traces.longest_floats(CHANCE[:at] + vector + CHANCE[at:])
    assert 299 <= found <= 310


def test_a_vector_with_many_zeros_is_found() -> None:
    vector = RNG.normal(0, 0.01, 600).astype("<f4")
    vector[::2] = 0
    assert traces.longest_floats(CHANCE[:1000] + vector.tobytes()) >= 299


@pytest.mark.parametrize(
    "data", [b"", CHANCE, bytes(50_000), b"learning_rate = 0.05\n" * 900, b"\xff" * 5000]
)
def test_what_is_no_vector_is_not_taken_for_one(data: bytes) -> None:
    assert traces.longest_floats(data) < traces.FEWEST


@settings(max_examples=20)
@given(st.binary(max_size=3000))
def test_any_bytes_are_looked_at_without_a_word(data: bytes) -> None:
    assert traces.longest_floats(data) <= len(data) // 4
    assert not (traces.looks_random(data) and traces.is_text(data))


def test_chance_looks_random() -> None:
    wrong = [
        n for n in range(200) if not traces.looks_random(np.random.default_rng(n).bytes(20_000))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "data",
    [
        CHANCE[:2000],
        bytes(20_000),
        CHANCE[:800] * 20,
        RNG.normal(0, 0.01, 5000).astype("<f4").tobytes(),
        (RNG.normal(0, 1e6, 5000) + 2**31).astype("<u4").tobytes(),
        RNG.integers(0, 2**56, 5000).astype("<u8").tobytes(),
    ],
)
def test_what_is_uneven_repeated_or_too_short_does_not(data: bytes) -> None:
    assert not traces.looks_random(data)


def test_text_is_text() -> None:
    assert traces.is_text("a = 1\n\té".encode())
    assert not traces.is_text(b"a\x00b")
    assert not traces.is_text(b"\xff\xfe")
