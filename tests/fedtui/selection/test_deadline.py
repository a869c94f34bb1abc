"""Deadline-aware selection: more are invited than are wanted."""

import numpy as np
import pytest

from fedtui.plugins import PluginError, build
from fedtui.selection.base import Candidate
from fedtui.selection.deadline import Deadline

NODES = [Candidate(bytes([n]) * 32) for n in range(10)]


def test_it_wants_more_invited_and_picks_as_many_as_it_is_told(rng: np.random.Generator) -> None:
    assert Deadline().over == 1.3
    assert Deadline(invite=2).over == 2
    assert len(Deadline().pick(NODES, 4, rng, 1)) == 4


@pytest.mark.parametrize("invite", [0.99, 10.1, float("nan")])
def test_a_factor_that_makes_no_sense_is_refused(invite: float) -> None:
    with pytest.raises(PluginError, match="expected 1 <= invite <= 10"):
        build("selection", "deadline", invite=invite)
