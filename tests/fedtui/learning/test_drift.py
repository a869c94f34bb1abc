"""How far a node went from where all went."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedtui.learning import drift as module
from fedtui.learning.drift import Drift, drift

FLOATS = hnp.arrays(np.float32, (3, 7), elements=st.floats(-10, 10, width=32))


@given(FLOATS)
def test_it_is_what_the_formulas_say_however_it_is_cut(vectors) -> None:
    update, before, after = vectors
    step = after.astype(np.float64) - before
    whole = drift(update, before, after)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", 2)
        pieces = drift(update, before, after)
    for found in (whole, pieces):
        assert found.distance == pytest.approx(np.linalg.norm(update - step), abs=1e-5)
        assert found.own == pytest.approx(np.linalg.norm(update.astype(np.float64)), abs=1e-6)
        assert found.moved == pytest.approx(np.linalg.norm(step), abs=1e-6)
        if found.cosine is not None and found.own > 1e-3 and found.moved > 1e-3:
            expected = update @ step / (np.linalg.norm(update) * np.linalg.norm(step))
            assert found.cosine == pytest.approx(expected, abs=1e-5)


def test_a_node_alone_has_no_drift_and_one_that_pulls_the_other_way_has_cosine_minus_one() -> None:
    before, update = np.zeros(3, np.float32), np.array([3, 0, 4], np.float32)
    assert drift(update, before, update) == Drift(0.0, 5.0, 5.0, 1.0)
    assert drift(update, before, -update) == Drift(10.0, 5.0, 5.0, -1.0)
    assert drift(update, before, before) == Drift(5.0, 5.0, 0.0, None)
