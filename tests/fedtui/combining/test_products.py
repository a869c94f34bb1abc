import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.combining.products import SPAN, exact_product, of_chunk


@given(st.integers(0, 2**32), st.integers(1, 3 * SPAN), st.integers(1, 9))
def test_near_what_numpy_says_and_the_same_bits_in_any_order(
    seed: int, length: int, num: int
) -> None:
    rng = np.random.default_rng(seed)
    rows_NC = (rng.normal(size=(num, length)) * 10.0 ** rng.integers(-4, 3)).astype(np.float32)
    products_NN = of_chunk(rows_NC)
    wide_NC = rows_NC.astype(np.float64)
    lengths_N = np.linalg.norm(wide_NC, axis=1)
    slack_NN = 1e-6 * np.outer(lengths_N, lengths_N)
    assert (np.abs(products_NN - wide_NC @ wide_NC.T) <= slack_NN).all()
    order = rng.permutation(num)
    assert of_chunk(rows_NC[order]).tobytes() == products_NN[np.ix_(order, order)].tobytes()
    assert (products_NN == products_NN.T).all()


def test_of_a_million_values_nine_digits_are_right() -> None:
    rows_NC = np.random.default_rng(1).normal(size=(3, 10**6)).astype(np.float32)
    wide_NC = rows_NC.astype(np.float64)
    squares_N = np.diagonal(of_chunk(rows_NC))
    np.testing.assert_allclose(squares_N, (wide_NC**2).sum(axis=1), rtol=2e-9)


@pytest.mark.parametrize("huge", [1e-30, 1023.0])
def test_an_update_of_huge_or_tiny_values_spoils_nobody_elses_precision(huge: float) -> None:
    rows_NC = np.random.default_rng(1).normal(size=(3, 500)).astype(np.float32)
    before_NN = of_chunk(rows_NC)
    rows_NC[1] = huge
    assert of_chunk(rows_NC)[0, 2] == before_NN[0, 2]


def test_the_largest_values_are_exact() -> None:
    rows_NC = np.full((2, SPAN), np.nextafter(np.float32(1024), np.float32(0)))
    rows_NC[1] = -1023
    assert of_chunk(rows_NC)[1, 1] == 1023.0**2 * SPAN
    assert of_chunk(np.zeros((2, 3), np.float32)).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("shape", [(1, 1, 1), (31, 7, 33), (70, 300, 65)])
def test_tiles_make_the_same_product(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(1)
    left = rng.integers(-1000, 1000, shape[:2]).astype(float)
    right = rng.integers(-1000, 1000, shape[1:]).astype(float)
    assert (exact_product(left, right) == left.astype(int) @ right.astype(int)).all()
