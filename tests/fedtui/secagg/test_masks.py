"""Masking a vector: encoded and covered in one pass, chunk by chunk, always alike."""

import numpy as np
import pytest
from a_cohort import Cohort

from fedtui.crypto import keystream
from fedtui.errors import LocalProtocolError
from fedtui.secagg import encoding, masks, opening
from fedtui.secagg.coordinator import Unmasking
from fedtui.secagg.encoding import CHUNK_WORDS, PAYLOAD_WORDS, Encoder, Encoding, EncodingError
from fedtui.secagg.participant import Masks

OF = Masks((b"p" * 32, b"q" * 32), (b"m" * 32,))
NONE = Masks((), ())


def layout(num_values: int = 5, lanes: int = 2) -> Encoding:
    return Encoding(
        num_values=num_values,
        scalars=("weight", "examples"),
        lanes=lanes,
        largest_cohort=10,
        value_range=4.0,
    )


def update(num_values: int, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(5).normal(0, scale, num_values).astype(np.float32)


SCALARS = {"weight": 10.0, "examples": 123.0}


def cover(made: Encoding, values, of: Masks = OF, scalars=SCALARS) -> np.ndarray:
    return masks.masked(made, values, scalars, weight=0.5, of=of)[0]


@pytest.mark.parametrize("lanes", [2, 3, 4])
@pytest.mark.parametrize("num_values", [0, 1, 5, 2 * PAYLOAD_WORDS, 4 * PAYLOAD_WORDS + 1])
def test_masks_are_added_and_taken_away_word_for_word(num_values: int, lanes: int) -> None:
    made = layout(num_values, lanes)
    values = update(num_values)
    plain, masked = cover(made, values, NONE), cover(made, values)
    assert masked.dtype == np.uint64
    assert len(masked) == made.num_words
    expected = plain.copy()
    for index, place in encoding.chunks(made):
        for seed in OF.plus:
            expected[place] += keystream.chunk(seed, index, CHUNK_WORDS)[: len(expected[place])]
        for seed in OF.minus:
            expected[place] -= keystream.chunk(seed, index, CHUNK_WORDS)[: len(expected[place])]
    assert np.array_equal(masked, expected)
    assert not np.any(masked == plain)


def test_chunks_are_the_vector_in_order_and_count_what_was_cut() -> None:
    made = layout(5 * PAYLOAD_WORDS)
    values = update(made.num_values, scale=4.0)
    seed = masks.rounding_seed_of(values)
    masker = masks.Masker(Encoder(made, values, SCALARS, weight=1.0, rounding_seed=seed), OF)
    whole, num_saturated = masks.masked(made, values, SCALARS, weight=1.0, of=OF)
    assert np.array_equal(np.concatenate(list(masker.chunks())), whole)
    assert masker.num_saturated == num_saturated
    cut = int(np.count_nonzero(np.abs(values) > made.value_range))
    assert abs(num_saturated - cut) <= 1
    assert cut > 100


def test_equal_updates_give_equal_vectors_and_others_other_roundings() -> None:
    made, values = layout(1000), update(1000)
    assert np.array_equal(cover(made, values), cover(made, values.copy()))
    assert np.array_equal(cover(made, values), cover(made, values.astype(">f4")))
    other = values.copy()
    other[999] += 1.0
    rounded = cover(made, values, NONE)[1:400] != cover(made, other, NONE)[1:400]
    assert np.count_nonzero(rounded) > 100, "the noise of rounding follows from the update"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_A1_what_is_no_number_is_never_masked(value: float) -> None:
    values = update(5)
    values[3] = value
    with pytest.raises(EncodingError, match="NaN or Inf"):
        cover(layout(), values)
    with pytest.raises(EncodingError, match="not a number"):
        cover(layout(), update(5), scalars={"weight": 1.0, "examples": float(value)})


@pytest.mark.parametrize("weight", [0.0, -0.5, 1.5])
def test_a_weight_or_a_length_that_the_layout_is_not_for(weight: float) -> None:
    with pytest.raises(LocalProtocolError):
        masks.masked(layout(), update(5), SCALARS, weight=weight, of=OF)
    with pytest.raises(LocalProtocolError):
        cover(layout(), update(6))
    with pytest.raises(LocalProtocolError):
        cover(layout(), update(5), scalars={"weight": 1.0})


def test_what_a_cohort_masks_opens_to_its_sum() -> None:
    cohort = Cohort(5, lose={"masked": {1}}).run(until="mask")
    made = layout()
    alive = [i for i in range(5) if i != 1]
    total = sum(
        (cover(made, update(5) * (i + 1), cohort.masks[i]) for i in alive),
        np.zeros(1, np.uint64),
    )
    cohort.choose()
    cohort.vote()
    cohort.reveal()
    opened = opening.whole(made, total, cohort.coordinator.unmasking())
    plain = sum((cover(made, update(5) * (i + 1), NONE) for i in alive), np.zeros(1, np.uint64))
    known = opening.whole(made, plain, Unmasking(4, (), ()))
    assert np.array_equal(opened.values_D, known.values_D)
    assert opened.scalars == {"weight": 40.0, "examples": 492.0}
