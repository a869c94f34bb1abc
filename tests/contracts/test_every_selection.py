"""What every selection promises, whatever its rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui import plugins


@pytest.mark.parametrize("name", plugins.names("selection"))
@given(num=st.integers(1, 40), size=st.integers(1, 50), seed=st.integers(0, 2**32))
def test_a_cohort_of_the_right_size_from_those_present(name, num, size, seed) -> None:
    present = [bytes([n]) * 32 for n in range(num)]
    selection = plugins.build("selection", name)
    one = selection.pick(present, size, np.random.default_rng(seed))
    two = selection.pick(list(present), size, np.random.default_rng(seed))
    assert isinstance(one, frozenset)
    assert one <= set(present)
    assert len(one) == min(size, num)
    assert one == two, "the same arguments gave another cohort"
