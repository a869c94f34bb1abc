import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.learning.params import Manifest, TensorSpec
from fedtui.wire.tensors import TensorError, check_finite, from_bytes, to_bytes

MANIFEST = Manifest((TensorSpec("first", (2, 3)), TensorSpec("second", (4,))))


@given(st.binary(min_size=40, max_size=40))
def test_any_bytes_of_the_right_length_come_back_as_they_were(data: bytes) -> None:
    assert bytes(to_bytes(from_bytes(data, MANIFEST))) == data
    assert bytes(to_bytes(from_bytes(memoryview(bytearray(data)), MANIFEST))) == data


def test_the_wire_form_is_little_endian_float32() -> None:
    vector = np.zeros(10, np.float32)
    vector[1] = 1.0
    assert bytes(to_bytes(vector))[:8].hex() == "000000000000803f"
    assert bytes(to_bytes(vector[::-1]))[-8:].hex() == "0000803f00000000"


@given(st.integers(0, 80).filter(lambda n: n != 40))
def test_A2_any_other_length_is_refused(length: int) -> None:
    with pytest.raises(TensorError, match=f"expected 40 bytes for 10 values, got {length}"):
        from_bytes(bytes(length), MANIFEST)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1024.0, -1024.0, 3e38])
@pytest.mark.parametrize(("index", "name"), [(0, "first"), (5, "first"), (6, "second")])
def test_A1_what_is_not_a_small_number_is_refused_by_name(
    bad: float, index: int, name: str
) -> None:
    vector = np.full(10, 1023.9, np.float32)
    check_finite(vector, MANIFEST)
    vector[index] = bad
    with pytest.raises(TensorError, match=f"tensor '{name}': "):
        check_finite(vector, MANIFEST)


def test_A1_the_limit_can_be_tighter() -> None:
    with pytest.raises(TensorError, match="2 is out of range, magnitudes below 1 are expected"):
        check_finite(np.full(10, 2, np.float32), MANIFEST, limit=1.0)
