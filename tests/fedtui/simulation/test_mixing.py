"""In memory, updates become the model that the coordinator's own code makes of files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.aggregators.mean import Mean
from fedtui.combining.visible import CannotCombineError, Recipe, Start
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.machine import Aggregate, Contribution
from fedtui.simulation.mixing import Mixer, Values
from fedtui.simulation.world import small_plan
from fedtui.strategies.fedavg import FedAvg
from fedtui.wire.messages import ModelRef

D = 2**16 + 3


def mixer() -> Mixer:
    return Mixer(Recipe(Manifest((TensorSpec("w", (D,)),)), Mean(), FedAvg()), small_plan())


def effect(*weights: int) -> Aggregate:
    base = ModelRef(round=1, digest=bytes(32), num_bytes=4 * D)
    parts = tuple(Contribution(bytes([n]) * 32, bytes(32), w) for n, w in enumerate(weights))
    return Aggregate(2, 1, base, parts)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=4), st.integers(0, 2**32))
def test_the_model_is_base_plus_weighted_mean(weights: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    base_D = rng.standard_normal(D, np.float32)
    updates = [rng.standard_normal(D, np.float32) for _ in weights]
    mixed = mixer().mix(effect(*weights), Start(Values(base_D)), updates)
    exact = base_D + np.average(np.stack(updates).astype(float), axis=0, weights=weights)
    np.testing.assert_array_max_ulp(mixed.model_D, exact.astype(np.float32), maxulp=1)
    assert mixed.sums is None


def test_what_is_out_of_range_is_no_model() -> None:
    huge_D = np.full(D, 1023.0, np.float32)
    with pytest.raises(CannotCombineError, match="diverged"):
        mixer().mix(effect(1), Start(Values(huge_D)), [huge_D])
