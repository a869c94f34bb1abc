"""What every selection promises, whatever its rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui import plugins
from fedtui.selection.base import Candidate

GROUPS = ({}, {"group": "north"}, {"group": "south"}, {"other": "x"})
FIGURES = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def candidates(draw: st.DrawFn, num: int) -> list[Candidate]:
    """Nodes with any past, hostile figures included."""
    found = []
    for index in range(num):
        picked = draw(st.integers(0, 5))
        counted = draw(st.integers(0, picked))
        found.append(
            Candidate(
                bytes([index]) * 32,
                num_picked=picked,
                num_counted=counted,
                last_round=draw(st.integers(1, 20)) if picked else 0,
                missed=bool(picked) and draw(st.booleans()),
                seconds=draw(st.floats(0, 1e7)) if counted else None,
                num_examples=draw(st.none() | st.integers(1, 2**40)) if counted else None,
                loss=draw(st.none() | FIGURES) if counted else None,
                declared=draw(st.sampled_from(GROUPS)),
            )
        )
    return found


@pytest.mark.parametrize("name", plugins.names("selection"))
@given(
    present=st.integers(1, 12).flatmap(candidates),
    size=st.integers(1, 15),
    number=st.integers(1, 2**31),
    seed=st.integers(0, 2**32),
)
def test_a_cohort_of_the_right_size_from_those_present(name, present, size, number, seed) -> None:
    selection = plugins.build("selection", name)
    one = selection.pick(present, size, np.random.default_rng(seed), number)
    two = selection.pick(list(present), size, np.random.default_rng(seed), number)
    assert isinstance(one, frozenset)
    assert one <= {candidate.node for candidate in present}
    assert len(one) == min(size, len(present))
    assert one == two, "the same arguments gave another cohort"


@pytest.mark.parametrize("name", plugins.names("selection"))
def test_it_says_what_it_reads_and_how_many_it_invites(name) -> None:
    selection = plugins.build("selection", name)
    assert selection.over >= 1
    assert isinstance(selection.attribute, str)
    assert isinstance(selection.reads_losses, bool)
