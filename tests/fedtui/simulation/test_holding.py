"""What simulated nodes hold, in memory and on disk: the same promises, the last one on disk."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fedtui.experiments.held import OnDisk
from fedtui.simulation.holding import Held, Holding, InMemory

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(params=[lambda _: InMemory(), lambda folder: OnDisk(folder / "held", 0)])
def holding(request: pytest.FixtureRequest, tmp_path: Path) -> Holding:
    make: Callable[[Path], Holding] = request.param
    return make(tmp_path)


def of(value: float) -> Held:
    return {"control": np.full(3, value, np.float32)}


def value(found: Held | None) -> float | None:
    return None if found is None else float(found["control"][0])


def test_a_node_begins_with_nothing_and_goes_on_with_what_counted(holding: Holding) -> None:
    assert holding.before(1, 1) is None
    holding.hold(1, 1, of(1))
    holding.counted(1, 1)
    assert value(holding.before(1, 2)) == 1.0
    assert holding.before(2, 2) is None


def test_training_that_never_counted_leaves_no_trace(holding: Holding) -> None:
    holding.hold(1, 1, of(1))
    holding.counted(1, 1)
    holding.hold(1, 2, of(2))
    assert value(holding.before(1, 3)) == 1.0


def test_a_round_that_is_tried_again_counts_once(holding: Holding) -> None:
    holding.hold(1, 1, of(1))
    holding.counted(1, 1)
    holding.hold(1, 2, of(2))
    assert value(holding.before(1, 2)) == 1.0
    holding.hold(1, 2, of(2.5))
    holding.counted(1, 2)
    assert value(holding.before(1, 3)) == 2.5
