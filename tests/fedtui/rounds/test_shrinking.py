"""A chain over whole vectors: what leaves, what comes back, and that nothing is lost for good."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedtui.rounds.shrinking import UNSENT, Spot, built, sent
from fedtui.transforms.base import BLOCK

SUBSET = ("random_subset", {"fraction": 0.25})
ROTATION = ("hadamard", {})
TOP = ("top_k", {"fraction": 0.1})
CHAINS = [(), (SUBSET,), (ROTATION,), (SUBSET, ROTATION), (TOP,), (ROTATION, TOP)]
LENGTHS = st.sampled_from([1, 7, 999, BLOCK, BLOCK + 1, 2 * BLOCK + 10])


def values(length: int, seed: int) -> np.ndarray:
    return np.random.default_rng([seed, length]).standard_normal(length).astype(np.float32)


def back(chain, vector_M: np.ndarray, num_values: int, spot: Spot) -> np.ndarray:
    parts = [
        chain.backward(
            vector_M[chain.place_of(block, num_values)],
            min(BLOCK, num_values - block * BLOCK),
            spot,
            block,
        )
        for block in range(-(-num_values // BLOCK))
    ]
    return np.concatenate(parts)


@pytest.mark.parametrize("steps", CHAINS)
@settings(max_examples=6)
@given(length=LENGTHS)
def test_as_many_leave_as_is_said(steps, length: int) -> None:
    chain, spot = built(steps), Spot(3, 2)
    done = sent(chain, values(length, 1), None, spot)
    assert len(done.vector_M) == chain.num_sent(length)
    assert len(back(chain, done.vector_M, length, spot)) == length
    assert bool(done.held) == chain.remembers


@pytest.mark.parametrize("steps", [(TOP,), (ROTATION, TOP)])
@settings(max_examples=4)
@given(length=st.sampled_from([7, 999, BLOCK + 10]))
def test_what_was_sent_and_what_is_held_are_all_that_was_learned(steps, length: int) -> None:
    chain, held = built(steps), None
    learned, arrived = np.zeros(length), np.zeros(length)
    for number in range(1, 5):
        update_W = values(length, number)
        done = sent(chain, update_W, held, Spot(3, number))
        held = done.held
        learned += update_W
        arrived += back(chain, done.vector_M, length, Spot(3, number))
    np.testing.assert_allclose(arrived + held[UNSENT], learned, atol=1e-4)
    assert np.abs(held[UNSENT]).sum() > 0


def test_without_transforms_the_very_update_leaves() -> None:
    update_W = values(9, 1)
    assert sent(built(()), update_W, {UNSENT: update_W}, Spot(1, 1)).vector_M is update_W


def test_what_is_held_of_another_model_is_refused() -> None:
    with pytest.raises(ValueError, match="of another model"):
        sent(built([TOP]), values(9, 1), {UNSENT: values(8, 1)}, Spot(1, 1))
