import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import hadamard

from fedtui.rounds.compression import RANGE_STEPS
from fedtui.transforms.base import Where
from fedtui.transforms.hadamard import Hadamard, _rotated

AT = Where(1, 2, 0, 0)


@given(power=st.integers(0, 9))
def test_the_rotation_is_that_of_scipys_matrix(power: int) -> None:
    values = np.random.default_rng(power).standard_normal(2**power)
    expected = hadamard(2**power) @ values / math.sqrt(2**power)
    np.testing.assert_allclose(_rotated(values), expected, atol=1e-12)


@given(length=st.integers(1, 5000))
def test_lengths_stay_and_one_large_value_is_spread(length: int) -> None:
    values_B = np.zeros(length, np.float32)
    values_B[length // 3] = 8.0
    sent_S = Hadamard().forward(values_B, AT)
    assert math.isclose(np.linalg.norm(sent_S), 8, rel_tol=1e-5)
    largest_power = 1 << (length.bit_length() - 1)
    assert np.abs(sent_S).max() <= RANGE_STEPS * 8 / math.sqrt(largest_power)


def test_signs_differ_by_round_and_block() -> None:
    values_B = np.ones(1000, np.float32)
    one, two, three = (
        Hadamard().forward(values_B, Where(1, number, 0, block))
        for number, block in ((1, 0), (2, 0), (1, 1))
    )
    assert not np.allclose(one, two)
    assert not np.allclose(one, three)
