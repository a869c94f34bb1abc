"""The digest of the data tells every change of it; a task that cannot judge stops nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.learning.data import Examples
from fedtui.learning.result import StoppedError
from node.trainer_judging import data_seen, first, judged

X = np.arange(24, dtype=np.float32).reshape(6, 2, 2)
Y = np.arange(6)


@given(st.integers(0, 23), st.booleans())
def test_one_changed_value_is_another_digest(place: int, target: bool) -> None:
    x, y = X.copy(), Y.copy()
    if target:
        y[place % 6] += 1
    else:
        x.reshape(-1)[place] += 1
    assert data_seen(Examples(x, y)).digest != data_seen(Examples(X, Y)).digest


def test_the_same_values_have_the_same_digest_however_they_lie_in_memory() -> None:
    seen = data_seen(Examples(X, Y))
    assert seen.num_examples == 6
    assert len(bytes.fromhex(seen.digest)) == 32
    assert data_seen(Examples(np.asfortranarray(X), np.repeat(Y, 2)[::2])) == seen
    assert data_seen(Examples(X.reshape(6, 4), Y)) != seen
    assert data_seen(Examples(X[:5], Y[:5])) != seen
    texts = Examples(np.array([["a"], ["b"]], dtype=object), np.array([0, 1]))
    other = Examples(np.array([["a"], ["c"]], dtype=object), np.array([0, 1]))
    assert data_seen(texts).digest != data_seen(other).digest


def test_an_empty_share_has_a_digest_too() -> None:
    assert data_seen(Examples(X[:0], Y[:0])).num_examples == 0


def test_no_more_are_judged_than_asked() -> None:
    assert len(first(Examples(X, Y), 4)) == 4
    assert len(first(Examples(X, Y), 40)) == 6


def test_what_a_task_cannot_judge_is_no_figure_and_a_stop_is_a_stop() -> None:
    def broken() -> dict[str, float]:
        raise ZeroDivisionError

    def stopped() -> dict[str, float]:
        raise StoppedError

    assert judged(broken) == {}
    with pytest.raises(StoppedError):
        judged(stopped)
