"""Many releases are one: what composes, in which order, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.errors import LocalProtocolError
from fedtui.privacy.spending import Release, together

Noises = st.floats(0.01, 1000)
Releases = st.builds(Release, Noises, st.integers(0, 10_000))


def test_equal_releases_hide_less_by_the_root_of_their_number() -> None:
    assert together([Release(3.0, 9)]) == pytest.approx(1.0)
    assert together([Release(3.0)] * 9) == pytest.approx(1.0)
    assert together([]) == math.inf
    assert together([Release(3.0, 0)]) == math.inf


@given(st.lists(Releases, max_size=8), st.lists(Releases, max_size=8))
def test_parts_compose_like_the_whole_in_any_order(
    some: list[Release], more: list[Release]
) -> None:
    parts = [Release(z) for z in (together(some), together(more)) if z < math.inf]
    assert together(parts) == pytest.approx(together(more + some))
    assert together(some + more) <= together(some)


@pytest.mark.parametrize("noise", [0.0, -1.0, math.nan, math.inf])
def test_no_noise_is_no_release(noise: float) -> None:
    with pytest.raises(LocalProtocolError, match="no release"):
        Release(noise)


def test_rounds_are_counted_from_none() -> None:
    with pytest.raises(LocalProtocolError, match="no release"):
        Release(1.0, -1)
