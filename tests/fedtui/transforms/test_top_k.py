import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui import plugins
from fedtui.transforms.base import TransformError, Where, part_of
from fedtui.transforms.top_k import TopK

AT = Where(1, 1, 0, 0)


def test_the_largest_leave_with_their_places() -> None:
    values_B = np.array([0.1, -5, 0, 3, -0.2, 4, 1, 0.5], np.float32)
    sent_S = TopK(fraction=0.375).forward(values_B, AT)
    assert sent_S[:3].tolist() == [-5, 3, 4]
    assert sent_S[3:].view(np.uint16).tolist() == [1, 3, 5, 0]
    assert TopK(fraction=0.375).backward(sent_S, 8, AT).tolist() == [0, -5, 0, 3, 0, 4, 0, 0]


@given(
    values=st.lists(
        st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 1e-30]), min_size=2, max_size=60
    ),
    fraction=st.floats(0.01, 0.5),
)
def test_of_equal_values_the_first_leave(values: list[float], fraction: float) -> None:
    """As sorting says, which is slower."""
    values_B = np.array(values, np.float32)
    sent_S = TopK(fraction=fraction).forward(values_B, AT)
    num_kept = part_of(len(values), fraction)
    places = sent_S[num_kept:].view(np.uint16)[:num_kept]
    order = np.argsort(-np.abs(values_B), kind="stable")
    assert places.tolist() == sorted(order[:num_kept].tolist())
    assert np.array_equal(sent_S[:num_kept], values_B[places])


@given(words=st.lists(st.integers(0, 2**32 - 1), min_size=5, max_size=5))
def test_whatever_arrives_is_a_block_or_is_refused(words: list[int]) -> None:
    sent_S = np.array(words, np.uint32).view(np.float32)
    try:
        back_B = TopK(fraction=0.375).backward(sent_S, 8, AT)
    except TransformError:
        return
    assert len(back_B) == 8
    assert np.count_nonzero(back_B) <= 3


@pytest.mark.parametrize("places", [[1, 3, 8, 0], [1, 1, 5, 0], [3, 1, 5, 0], [1, 3, 5, 1]])
def test_places_that_do_not_rise_within_the_block_are_refused(places: list[int]) -> None:
    sent_S = np.zeros(5, np.float32)
    sent_S.view(np.uint16)[6:] = places
    with pytest.raises(TransformError, match="do not rise within its 8 values"):
        TopK(fraction=0.375).backward(sent_S, 8, AT)


def test_more_than_half_is_refused() -> None:
    with pytest.raises(plugins.PluginError, match=r"0 < fraction <= 0\.5"):
        plugins.build("transforms", "top_k", fraction=0.6)
