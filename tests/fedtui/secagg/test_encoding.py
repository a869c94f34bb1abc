"""Vectors and their sums, as integers, against the documented formula value by value.

The reference is made of Python's numbers, and of another library's ChaCha20 for the noise: two
values to a word, from the streams 2i and 2i + 1 for chunk i.
"""

import hashlib
import json
import math
import operator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from hypothesis import given
from hypothesis import strategies as st

from fedtui.crypto import keystream
from fedtui.errors import LocalProtocolError
from fedtui.privacy import discrete_gaussian
from fedtui.privacy.noise import Noise, NoiseError
from fedtui.secagg import encoding
from fedtui.secagg.encoding import Encoder, Encoding, EncodingError, Hidden

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "secagg.json").read_text())
SEED = bytes(range(32))
NAMES = ("weight", "loss_sum", "examples")
PAYLOAD = 8191  # words of a chunk beside its guard


class Node(NamedTuple):
    update: Any
    weight: float = 1.0
    scalars: dict[str, float] = dict.fromkeys(NAMES, 0.0)
    seed: bytes = SEED


def form_of(num_values: int, **numbers: Any) -> Encoding:
    usual = {"scalars": NAMES, "lanes": 2, "largest_cohort": 10, "value_range": 1.0}
    return Encoding(num_values=num_values, **usual | numbers)


def encoder(form: Encoding, node: Node) -> Encoder:
    update, seed = np.array(node.update, np.float32), node.seed
    return Encoder(form, update, node.scalars, weight=node.weight, rounding_seed=seed)


def vector_of(form: Encoding, made: Encoder) -> np.ndarray:
    vector = np.full(form.num_words, 2**64 - 1, np.uint64)
    for index, place in encoding.chunks(form):
        vector[place] = made.chunk(index)
    return vector


def opened(form: Encoding, total: np.ndarray, num: int) -> tuple[list[int], dict[str, float]]:
    """The summed values and scalars in a whole summed vector."""
    slots: list[int] = []
    for index, place in encoding.chunks(form):
        slots += encoding.decode(form, total[place], index, num).tolist()
    digits = slots[form.num_values :]
    return slots[: form.num_values], encoding.scalars(form, digits, num)


# ---- sums against the formula -------------------------------------------------------------------


def noise_of(seed: bytes, form: Encoding) -> list[int]:
    """2**32 * u of every value."""
    found: list[int] = []
    while (num_left := form.num_values - len(found)) > 0:
        stream, first = b"", 2 * (len(found) // (PAYLOAD * form.lanes))
        for number in (first, first + 1):
            person, place = b"fedtui1-stream", number.to_bytes(8, "little")
            key = hashlib.blake2b(place, digest_size=32, key=seed, person=person).digest()
            cipher = Cipher(ChaCha20(key, bytes(4) + b"LibsodiumDRG"), mode=None)
            stream += cipher.encryptor().update(bytes(65536))
        count = min(PAYLOAD * form.lanes, num_left)
        found += [int.from_bytes(stream[4 * i : 4 * i + 4], "little") for i in range(count)]
    return found


def naive_steps(form: Encoding, node: Node) -> tuple[list[int], int]:
    """What stands for every value, and how many saturated."""
    bits = 64 // form.lanes - (max(2, form.largest_cohort) - 1).bit_length()
    most = 2 ** (bits - 1) - 1
    factor = node.weight * (float(most) / form.value_range)
    steps = [
        math.floor(value * factor + u / 2**32)
        for value, u in zip(node.update, noise_of(node.seed, form), strict=True)
    ]
    exact = Fraction(node.weight) * most / Fraction(form.value_range)
    for value, step in zip(node.update[:50], steps[:50], strict=True):
        assert abs(step - Fraction(value) * exact) < 1 + abs(step) / 2**50  # whatever u was
    return [max(-most, min(most, s)) for s in steps], sum(abs(s) > most for s in steps)


def check_sum(form: Encoding, nodes: list[Node], survive: list[bool]) -> None:
    total = np.zeros(form.num_words, np.uint64)
    steps, scalars = [0] * form.num_values, dict.fromkeys(form.scalars, Fraction(0))
    for node, survives in zip(nodes, survive, strict=True):
        made = encoder(form, node)
        vector = vector_of(form, made)
        wanted, num_saturated = naive_steps(form, node)
        assert made.num_saturated == num_saturated
        if survives:
            total += vector
            steps = list(map(operator.add, steps, wanted))
            for name in form.scalars:
                scalars[name] += Fraction(round(Fraction(node.scalars[name]) * 2**16), 2**16)
    assert opened(form, total, sum(survive)) == (steps, scalars)


floats = st.floats(-4, 4, width=32) | st.sampled_from([0.0, 1.0, -1.0, 2.0**127, -(2.0**127)])


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[Encoding, list[Node], list[bool]]:
    lanes = draw(st.sampled_from(encoding.LANES))
    form = form_of(
        draw(st.integers(0, 40)),
        scalars=NAMES[: draw(st.integers(0, 3))],
        lanes=lanes,
        largest_cohort=draw(st.integers(1, 40) | st.integers(1, 2 ** (64 // lanes - 8))),
        value_range=draw(st.floats(1e-3, 1e3)),
    )
    sums = st.floats(-(2**33), 2**33) | st.integers(0, 2**34)
    node = st.builds(
        Node,
        update=st.lists(floats, min_size=form.num_values, max_size=form.num_values),
        weight=st.floats(2.0**-20, 1),
        scalars=st.fixed_dictionaries(dict.fromkeys(form.scalars, sums)),
        seed=st.binary(min_size=32, max_size=32),
    )
    nodes = draw(st.lists(node, min_size=1, max_size=min(6, form.largest_cohort)))
    return form, nodes, [draw(st.booleans()) for _ in nodes]


@given(cohorts())
def test_a_sum_is_the_sum_of_the_formula(cohort: tuple[Encoding, list[Node], list[bool]]) -> None:
    check_sum(*cohort)


@pytest.mark.parametrize("beyond", [-5, -1, 0, 1])
@pytest.mark.parametrize("lanes", [2, 3, 4])
def test_values_and_digits_go_on_in_the_next_chunk(
    lanes: int, beyond: int, rng: np.random.Generator
) -> None:
    form = form_of(PAYLOAD * lanes + beyond, lanes=lanes)
    scalars = {"weight": 0.5, "loss_sum": -1.25, "examples": 2**35 + 7}
    update = rng.uniform(-1.1, 1.1, form.num_values).astype(np.float32).tolist()
    check_sum(form, [Node(update, 0.75, scalars), Node(update, 1.0, scalars, bytes(32))], [1, 1])
    assert form.num_chunks == 2


@pytest.mark.parametrize("vector", VECTORS["encodings"])
def test_known_vectors(vector: dict[str, Any]) -> None:
    update = [float.fromhex(value) for value in vector["update"]]
    numbers = ("lanes", "largest_cohort", "value_range")
    form = form_of(len(update), **{name: vector[name] for name in numbers})
    seed = bytes.fromhex(vector["rounding_seed"])
    made = encoder(form, Node(update, vector["weight"], vector["scalars"], seed))
    assert vector_of(form, made).astype("<u8").tobytes().hex() == vector["words"]
    assert made.num_saturated == vector["num_saturated"]


# ---- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lanes", "bits_of"),
    [
        (2, {1: 31, 10: 28, 100: 25, 1000: 22, 2**24: 8}),
        (3, {8: 18, 9: 17, 100: 14, 1000: 11}),
        (4, {2: 15, 10: 12, 100: 9, 256: 8}),
    ],
)
def test_the_bits_of_the_specification(lanes: int, bits_of: dict[int, int]) -> None:
    for largest, bits in bits_of.items():
        assert form_of(1, lanes=lanes, largest_cohort=largest).value_bits == bits


@pytest.mark.parametrize(
    ("lanes", "largest"), [(4, 257), (3, 2**13 + 1), (2, 2**24 + 1), (0, 10), (1, 10), (5, 2)]
)
def test_lanes_that_leave_no_room_are_refused(lanes: int, largest: int) -> None:
    with pytest.raises(LocalProtocolError, match="lanes"):
        form_of(1, lanes=lanes, largest_cohort=largest)


@given(st.sampled_from([2, 3, 4]), st.data())
def test_the_largest_cohort_at_the_limits_overflows_no_lane(
    lanes: int, data: st.DataObject
) -> None:
    room = 64 // lanes - 8
    num = data.draw(st.integers(0, room).map(lambda power: 2**power) | st.integers(1, 2**room))
    signs = data.draw(st.lists(st.sampled_from([1, -1]), min_size=1, max_size=20))
    form = form_of(len(signs), lanes=lanes, largest_cohort=num)
    extremes = {"weight": 1e300, "loss_sum": -1e300, "examples": 2**39 - 1}
    made = encoder(form, Node([sign * 3e38 for sign in signs], scalars=extremes))
    total = vector_of(form, made) * np.uint64(num)  # as many equal vectors, modulo 2**64
    values, sums = opened(form, total, num)
    assert values == [sign * (2 ** (form.value_bits - 1) - 1) * num for sign in signs]
    assert sums["weight"] == float(Fraction((2**55 - 1) * num, 2**16))
    assert sums["loss_sum"] == -(2**39) * num
    assert sums["examples"] == float((2**39 - 1) * num)
    assert made.num_saturated == len(signs) + 2


@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_what_saturates_is_counted_and_clipped(weight: float) -> None:
    form, most = form_of(7), 2**27 - 1
    made = encoder(form, Node([1.0, -1.0, 1.001, -1.001, 4.0, -4.0, 0.0], weight))
    found, _ = opened(form, vector_of(form, made), 1)
    assert found[4:] == [most, -most, 0]
    assert made.num_saturated == (4 if weight == 1 else 2)
    assert (found[:4] == [most, -most, most, -most]) == (weight == 1)


@given(st.lists(st.integers(-(2**39) + 1, 2**39 - 1), min_size=1, max_size=8), st.data())
def test_counts_are_exact(counts: list[int], data: st.DataObject) -> None:
    form = form_of(0, lanes=data.draw(st.sampled_from([2, 3, 4])), scalars=("whole", "parts"))
    total = np.zeros(form.num_words, np.uint64)
    for count in counts:
        scalars = {"whole": count, "parts": count % 2**30 / 2**16}
        made = encoder(form, Node([], scalars=scalars))
        total += vector_of(form, made)
        assert made.num_saturated == 0
    parts = Fraction(sum(count % 2**30 for count in counts), 2**16)
    assert opened(form, total, len(counts))[1] == {"whole": sum(counts), "parts": parts}


@pytest.mark.parametrize("scalar", [2.0**39, 2**50, -(2.0**40), 1e305, -1.7e308])
def test_a_scalar_out_of_range_is_counted_and_clipped(scalar: float) -> None:
    form = form_of(0, scalars=("loss_sum",))
    made = encoder(form, Node([], scalars={"loss_sum": scalar}))
    found = opened(form, vector_of(form, made), 1)[1]["loss_sum"]
    assert found == (2.0**39 if scalar > 0 else -(2.0**39))
    assert made.num_saturated == 1


@pytest.mark.parametrize("place", [0, 16381, 16382, 19_999])
@pytest.mark.parametrize("bad", [(math.nan,), (math.inf,), (-math.inf,), (math.inf, -math.inf)])
def test_nan_and_inf_are_refused(bad: tuple[float, ...], place: int) -> None:
    update = np.zeros(20_001, np.float32)
    update[place : place + len(bad)] = bad
    form = form_of(len(update))
    made = encoder(form, Node(update))
    with pytest.raises(EncodingError, match="NaN or Inf"):
        vector_of(form, made)
    with pytest.raises(EncodingError, match="not a number"):
        encoder(form, Node(update, scalars=Node([]).scalars | {"loss_sum": bad[0]}))


@pytest.mark.parametrize(("num", "weight"), [(3, 1.0), (5, 1.0), (4, 0.0), (4, -0.5), (4, 1.01)])
def test_values_and_weights_of_another_encoding_are_refused(num: int, weight: float) -> None:
    with pytest.raises(LocalProtocolError, match="not the values"):
        encoder(form_of(4), Node([0.0] * num, weight))


@pytest.mark.parametrize("index", [0, 1])
def test_a_wrong_guard_spoils_the_sum(index: int) -> None:
    form = form_of(20_000)
    total = vector_of(form, encoder(form, Node(np.ones(20_000)))) * np.uint64(3)
    place = dict(encoding.chunks(form))[index]
    assert len(encoding.decode(form, total[place], index, 3)) == len(form.slots_of(index))
    for wrong in (0, 2, 4):
        with pytest.raises(EncodingError, match=f"{wrong} whole vectors"):
            encoding.decode(form, total[place], index, wrong)
    keystream.add(total[place], index, [SEED])  # a mask that nobody took away
    with pytest.raises(EncodingError, match="3 whole vectors"):
        encoding.decode(form, total[place], index, 3)


@pytest.mark.parametrize("steps", [0.3, -0.3, 12.5, -7.9, 1e-3])
def test_rounding_is_unbiased(steps: float) -> None:
    form = form_of(40_000, scalars=(), lanes=4, value_range=2**11 - 1.0)  # a step is 1
    made = encoder(form, Node([steps] * 40_000))
    found, _ = opened(form, vector_of(form, made), 1)
    assert set(found) == {math.floor(steps), math.floor(steps) + 1}
    part = steps - math.floor(steps)
    deviation = math.sqrt(part * (1 - part) / len(found))
    assert abs(sum(found) / len(found) - steps) < 5 * deviation


def test_every_value_has_noise_of_its_own_that_follows_from_the_seed() -> None:
    form = form_of(70_000, scalars=(), lanes=4, value_range=2**11 - 1.0)
    made = [encoder(form, Node([0.5] * 70_000, seed=seed)) for seed in (SEED, SEED, bytes(32))]
    ups, again, others = (np.array(opened(form, vector_of(form, one), 1)[0]) for one in made)
    assert np.array_equal(ups, again)
    assert abs((ups == others).mean() - 0.5) < 0.02
    for lag in (1, 2, 4, PAYLOAD * 2, 8192 * 2, PAYLOAD * 4, 8192 * 4, PAYLOAD * 8):
        assert abs((ups[lag:] == ups[:-lag]).mean() - 0.5) < 0.02


@pytest.mark.parametrize(("lanes", "megabytes"), [(2, 4.0), (3, 8 / 3), (4, 2.0)])
def test_the_sizes_of_the_specification(lanes: int, megabytes: float) -> None:
    form = form_of(1_000_000, lanes=lanes)
    assert megabytes <= form.num_bytes / 1e6 < megabytes * 1.02
    sizes = [form.chunk_words(index) for index in range(form.num_chunks)]
    assert set(sizes[:-1]) == {8192}
    assert 1 < sizes[-1] <= 8192
    assert 8 * sum(sizes) == form.num_bytes
    slots = [slot for index in range(form.num_chunks) for slot in form.slots_of(index)]
    assert slots == list(range(form.num_slots))


# ---- under differential privacy -----------------------------------------------------------------


def hidden_values(
    form: Encoding, update: np.ndarray, sigma: float, *, seed: bytes = SEED, clip: float = 0.5
) -> np.ndarray:
    """What an encoder made of an update, in steps."""
    made = Encoder(
        form,
        update,
        dict.fromkeys(NAMES, 0.0),
        weight=1.0,
        rounding_seed=SEED,
        hidden=Hidden(Noise(clip=clip, sigma=sigma), seed),
    )
    total = vector_of(form, made)
    return np.array(opened(form, total, 1)[0])


@pytest.mark.parametrize(("lanes", "num"), [(2, 50_000), (3, 3_000), (4, 300)])
def test_that_noise_has_the_spread_that_was_asked_for(lanes: int, num: int) -> None:
    form = form_of(num, lanes=lanes, value_range=2.0)
    steps = hidden_values(form, np.zeros(num, np.float32), 0.1)
    sigma = 0.1 * form.scale
    assert abs(steps.std() / sigma - 1) < 5 / math.sqrt(2 * num)
    assert abs(steps.mean()) < 5 * sigma / math.sqrt(num)


def test_that_whole_numbers_are_never_longer_than_the_clip() -> None:
    form = form_of(2_000, lanes=3)
    update = np.random.default_rng(2).normal(size=2_000).astype(np.float32)
    steps = hidden_values(form, update, 0.0)
    assert 0.49 < np.linalg.norm(steps) / form.scale <= 0.5
    short = update * np.float32(0.001)
    kept = hidden_values(form, short, 0.0) / form.scale
    assert np.abs(kept - short).max() <= 1 / form.scale


def test_that_noise_of_two_seeds_and_of_two_chunks_is_another() -> None:
    num = 4 * PAYLOAD
    form = form_of(num, value_range=2.0)
    nothing = np.zeros(num, np.float32)
    first, other = (hidden_values(form, nothing, 0.1, seed=s) for s in (SEED, b"o" * 32))
    assert np.array_equal(first, hidden_values(form, nothing, 0.1))
    assert abs(np.corrcoef(first, other)[0, 1]) < 5 / math.sqrt(num)
    halves = first[: 2 * PAYLOAD], first[2 * PAYLOAD :]
    assert abs(np.corrcoef(*halves)[0, 1]) < 5 / math.sqrt(2 * PAYLOAD)


def test_that_values_saturate_before_the_noise_has_no_room() -> None:
    """However large: what leaves is in its lane, and the noise is whole."""
    form = form_of(100, value_range=2.0)
    update = np.zeros(100, np.float32)
    update[0] = 1.9
    made = hidden_values(form, update, 0.1, clip=1.95)
    room = 2 ** (form.value_bits - 1) - 1 - discrete_gaussian.most(0.1 * form.scale)
    quiet = hidden_values(form, np.zeros(100, np.float32), 0.1, clip=1.95)
    assert made[0] - quiet[0] == room
    assert np.array_equal(made[1:], quiet[1:])


def test_that_noise_without_room_is_refused() -> None:
    with pytest.raises(NoiseError, match="no room"):
        hidden_values(form_of(10), np.zeros(10, np.float32), 0.1)


def test_that_no_repr_shows_the_seed_of_noise() -> None:
    assert "seed" not in repr(Hidden(Noise(clip=1.0, sigma=1.0), SEED))
