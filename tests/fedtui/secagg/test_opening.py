"""Opening a sum: the masks away, the guard looked at, floats out; in chunks or as a whole."""

import numpy as np
import pytest
from test_masks import NONE, OF, SCALARS, cover, layout, update

from fedtui.secagg import encoding, opening
from fedtui.secagg.coordinator import Unmasking
from fedtui.secagg.encoding import PAYLOAD_WORDS, EncodingError

OPENER = Unmasking(1, plus=OF.minus, minus=OF.plus)


@pytest.mark.parametrize("lanes", [2, 3, 4])
@pytest.mark.parametrize("num_values", [0, 1, 5, 4 * PAYLOAD_WORDS + 1])
def test_values_come_back_within_a_step_and_scalars_exactly(num_values: int, lanes: int) -> None:
    made, values = layout(num_values, lanes), update(num_values)
    opened = opening.whole(made, cover(made, values), OPENER)
    assert opened.values_D.dtype == np.float64
    assert len(opened.values_D) == num_values
    assert np.all(np.abs(opened.values_D - 0.5 * values.astype(np.float64)) <= 1 / made.scale)
    assert opened.scalars == SCALARS


@pytest.mark.parametrize("num", [2, 3, 10])
def test_the_sum_of_vectors_is_the_sum_of_values(num: int) -> None:
    made = layout(1000)
    values = [update(1000) * (i + 1) / 10 for i in range(num)]
    total = sum((cover(made, one, NONE) for one in values), np.zeros(1, np.uint64))
    opened = opening.whole(made, total, Unmasking(num, (), ()))
    exact = 0.5 * np.sum([one.astype(np.float64) for one in values], axis=0)
    assert np.all(np.abs(opened.values_D - exact) <= num / made.scale)
    assert opened.scalars == {name: num * value for name, value in SCALARS.items()}


def test_stochastic_rounding_has_no_bias() -> None:
    made, values = layout(100_000), np.full(100_000, 0.3, np.float32)
    opened = opening.whole(made, cover(made, values), OPENER)
    exact = 0.5 * float(np.float32(0.3)) * made.scale
    assert abs(float(np.mean(opened.values_D * made.scale)) - exact) < 0.01


def test_chunks_may_be_opened_in_any_order() -> None:
    made, values = layout(6 * PAYLOAD_WORDS), update(6 * PAYLOAD_WORDS)
    words = cover(made, values)
    parts = {
        index: opening.open_chunk(made, words[place].copy(), index, OPENER)
        for index, place in reversed(list(encoding.chunks(made)))
    }
    assert len(parts) >= 3
    slots = np.concatenate([parts[index] for index in sorted(parts)])
    opened = opening.whole(made, words, OPENER)
    assert np.array_equal(slots[: made.num_values] / made.scale, opened.values_D)


def test_a_chunk_in_another_place_is_noticed() -> None:
    made = layout(6 * PAYLOAD_WORDS)
    words = cover(made, update(made.num_values))
    places = [place for _, place in encoding.chunks(made)]
    with pytest.raises(EncodingError, match="1 whole vectors"):
        opening.open_chunk(made, words[places[1]].copy(), 0, OPENER)


@pytest.mark.parametrize(
    "opener",
    [
        Unmasking(2, plus=OF.minus, minus=OF.plus),
        Unmasking(1, plus=(), minus=OF.plus),
        Unmasking(1, plus=OF.minus, minus=OF.plus[:1]),
        Unmasking(1, plus=OF.plus, minus=OF.minus),
        Unmasking(1, plus=(), minus=()),
    ],
)
def test_P2_any_wrong_mask_or_count_is_noticed_and_never_a_sum(opener: Unmasking) -> None:
    made = layout()
    with pytest.raises(EncodingError, match="whole vectors"):
        opening.whole(made, cover(made, update(5)), opener)


@pytest.mark.parametrize("bit", range(0, 64, 7))
def test_A2_one_flipped_bit_of_a_guard_is_noticed(bit: int) -> None:
    made = layout()
    words = cover(made, update(5))
    words[0] ^= np.uint64(1 << bit)
    with pytest.raises(EncodingError):
        opening.whole(made, words, OPENER)


def test_a_vector_of_nothing_but_scalars_or_nothing_at_all() -> None:
    assert opening.whole(layout(0), cover(layout(0), update(0)), OPENER).scalars == SCALARS
    empty = encoding.Encoding(
        num_values=0, scalars=(), lanes=2, largest_cohort=10, value_range=4.0
    )
    opened = opening.whole(empty, np.empty(0, np.uint64), Unmasking(3, (), ()))
    assert (len(opened.values_D), opened.scalars) == (0, {})
