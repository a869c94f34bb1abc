"""Blocks from parts of any length, and an update that is restored as it is read."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedtui.aggregators.krum import Krum
from fedtui.aggregators.mean import Mean
from fedtui.combining.restoring import Restored, restored
from fedtui.combining.visible import CannotCombineError, Recipe, Sink, Start, combine, unfit
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.shrinking import Chain, Spot, built, sent
from fedtui.simulation.mixing import Values
from fedtui.strategies.fedavg import FedAvg
from fedtui.transforms.base import BLOCK

N = 2 * BLOCK + 77
UPDATE = np.random.default_rng(1).standard_normal(N).astype(np.float32)
ROTATED = built([("hadamard", {})])
TOP = built([("top_k", {"fraction": 0.01})])
AT = Spot(1, 2)
MANIFEST = Manifest((TensorSpec("w", (N,)),))


@settings(max_examples=10)
@given(cuts=st.lists(st.integers(0, N), max_size=6))
def test_parts_of_any_length_give_the_same_blocks(cuts: list[int]) -> None:
    vector = sent(ROTATED, UPDATE, None, AT).vector_M.astype(np.float64)
    edges = [0, *sorted(cuts), N]
    parts = [[vector[a:b]] for a, b in pairwise(edges)]
    blocks = list(Restored(ROTATED, AT, N).blocks([*parts, []]))
    assert [len(block) for block in blocks] == [BLOCK, BLOCK, 77]
    np.testing.assert_allclose(np.concatenate(blocks), UPDATE, atol=1e-5)


def test_an_update_is_read_from_any_value_on() -> None:
    whole = restored(Values(sent(ROTATED, UPDATE, None, AT).vector_M), ROTATED, AT, N)
    edges = ((0, 10), (BLOCK, BLOCK), (BLOCK, 9 * BLOCK), (2 * BLOCK, 99))
    inside = ((5, 10), (BLOCK - 3, 7), (BLOCK + 2048, BLOCK), (N - 1, 9), (7, N))
    for first, count in edges + inside:
        expected = UPDATE[first : first + count]
        np.testing.assert_allclose(whole.read(first, count), expected, atol=1e-5)


@pytest.mark.parametrize("chain", [ROTATED, TOP], ids=["rotated", "top"])
def test_a_rule_by_distances_works_on_what_was_restored(chain: Chain) -> None:
    """As many updates as make the chunks shorter than a block."""
    rng = np.random.default_rng(3)
    rows_ND = rng.standard_normal((70, N), np.float32)
    rows_ND[:10] *= 40
    values = [
        restored(Values(sent(chain, row_D, None, AT).vector_M), chain, AT, N) for row_D in rows_ND
    ]
    recipe = Recipe(MANIFEST, Krum(bad=10), FedAvg())
    made: list[bytes] = []
    sink = Sink(lambda data: made.append(bytes(data)))
    combine(recipe, Start(Values(np.zeros(N, np.float32))), [(one, 1) for one in values], sink)
    model_D = np.frombuffer(b"".join(made), "<f4")
    far = [np.abs(one.read(0, N) - model_D).max() for one in values]
    assert min(far) < 1e-5
    assert far.index(min(far)) >= 10


def test_hostile_updates_are_unfit() -> None:
    vector_M = sent(TOP, UPDATE, None, AT).vector_M
    assert unfit(restored(Values(vector_M), TOP, AT, N), MANIFEST) is None
    for value, words in ((np.nan, "holds nan"), (np.inf, "holds inf"), (1e30, "holds 1e+30")):
        spoilt_M = vector_M.copy()
        spoilt_M[0] = value
        assert words in unfit(restored(Values(spoilt_M), TOP, AT, N), MANIFEST)
    spoilt_M = vector_M.copy()
    spoilt_M.view(np.uint16)[-4:] = 60_000
    assert "do not rise" in unfit(restored(Values(spoilt_M), TOP, AT, N), MANIFEST)


def test_a_block_that_is_damaged_later_ends_the_round_only() -> None:
    spoilt_M = sent(TOP, UPDATE, None, AT).vector_M
    spoilt_M.view(np.uint16)[-4:] = 60_000
    update = restored(Values(spoilt_M), TOP, AT, N)
    recipe = Recipe(MANIFEST, Mean(), FedAvg())
    with pytest.raises(CannotCombineError, match="do not rise"):
        combine(recipe, Start(Values(UPDATE)), [(update, 1)], Sink(lambda _: None))
