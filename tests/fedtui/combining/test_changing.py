"""What nodes make of a change is what was written, and rounding loses nothing on the average."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.combining.changing import Changing, Rounding, rounded
from fedtui.combining.visible import CannotCombineError
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.simulation.mixing import Values
from fedtui.wire import changes
from fedtui.wire.changes import BLOCK, SPAN, Applying, Bits

BASE = b"b" * 32
COARSE: tuple[Bits, ...] = (16, 8, 4)


def written(
    base_D: np.ndarray, model_D: np.ndarray, bits: Bits, *, number: int = 1, cuts: int = 3
) -> tuple[bytes, bytes]:
    """The canonical model and the change without its digest."""
    model, change = bytearray(), bytearray()
    one = Changing(
        Manifest((TensorSpec("w", (len(base_D),)),)),
        Values(base_D),
        BASE,
        rounding=Rounding(bits, 7, number),
        write_model=model.extend,
        write_change=change.extend,
    )
    for part in np.array_split(model_D, cuts):
        one.write(part.astype("<f4").data.cast("B"))
    one.finish()
    assert one.num_bytes == len(change) + changes.DIGEST_BYTES
    return bytes(model), bytes(change)


@pytest.mark.parametrize("bits", [32, *COARSE])
@given(st.integers(1, 700), st.integers(0, 2**32), st.integers(1, 9))
def test_a_node_makes_the_model_that_was_written(
    bits: Bits, num_values: int, seed: int, cuts: int
) -> None:
    rng = np.random.default_rng(seed)
    base_D = rng.normal(0, 0.1, num_values).astype(np.float32)
    new_D = base_D + rng.normal(0, 1e-3, num_values).astype(np.float32)
    model, change = written(base_D, new_D, bits, cuts=cuts)
    made = bytearray()
    node = Applying(num_values, BASE, lambda at, num: base_D[at : at + num], made.extend)
    node.feed(memoryview(change))
    assert bytes(made) == model
    assert (bits == 32) <= (model == new_D.tobytes())


@pytest.mark.parametrize("bits", COARSE)
def test_it_does_not_matter_how_the_model_comes(bits: Bits) -> None:
    rng = np.random.default_rng(1)
    base_D = rng.normal(0, 0.1, 2 * BLOCK + 5).astype(np.float32)
    new_D = base_D + rng.normal(0, 1e-3, len(base_D)).astype(np.float32)
    once = written(base_D, new_D, bits, cuts=1)
    assert written(base_D, new_D, bits, cuts=50) == once
    assert written(base_D, new_D, bits, number=2) != once, "every round has dice of its own"


@pytest.mark.parametrize("bits", COARSE)
@given(st.integers(0, 2**32), st.floats(-30, 1.5))
def test_a_value_is_a_step_off_at_most(bits: Bits, seed: int, exponent: float) -> None:
    rng = np.random.default_rng(seed)
    num = 2 * SPAN + 3
    base_D = rng.normal(0, 0.1, num).astype(np.float32)
    new_D = base_D + (rng.normal(0, 1, num) * 10.0**exponent).astype(np.float32)
    model_D = np.frombuffer(written(base_D, new_D, bits)[0], "<f4")
    step_D = np.zeros(num)
    for first in range(0, num, SPAN):
        part = slice(first, first + SPAN)
        step_D[part] = np.abs(new_D[part] - base_D[part].astype(float)).max() / (
            changes.largest_level(bits)
        )
    slack_D = 1e-6 * (np.abs(base_D) + np.abs(new_D)) + 1e-44
    assert (np.abs(model_D.astype(float) - new_D) <= step_D * (1 + 1e-5) + slack_D).all()


@pytest.mark.parametrize("bits", COARSE)
def test_small_changes_are_not_lost_on_the_average(bits: Bits) -> None:
    """One value of each span changes by 1, the others by a tenth of a step."""
    num, most = 40 * SPAN, changes.largest_level(bits)
    base_D = np.full(num, 5.0, np.float32)
    change_D = np.full(num, 0.1 / most)
    change_D[::SPAN] = 1.0
    new_D = (base_D + change_D).astype(np.float32)
    totals = [
        np.frombuffer(written(base_D, new_D, bits, number=n)[0], "<f4") - base_D for n in range(20)
    ]
    small_D = np.delete(np.mean(totals, axis=0), np.s_[::SPAN])
    wanted = float((new_D - base_D)[1])
    assert small_D.mean() == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize("bits", COARSE)
@given(st.lists(st.tuples(st.floats(0, 2, width=32), st.floats(0, 2, width=32)), min_size=1))
def test_what_was_and_would_be_positive_stays_so(
    bits: Bits, pairs: list[tuple[float, float]]
) -> None:
    """A variance that becomes negative would make every later model NaN."""
    base_B, new_B = (np.array(side, np.float32) for side in zip(*pairs, strict=True))
    for noise in (0.0, 0.5, 1 - 2**-32):
        for sign in (1, -1):
            plain = rounded(sign * base_B, sign * new_B, bits, np.full(len(pairs), noise))
            made_B = changes.apply(bits, sign * base_B, plain)
            assert (sign * made_B >= 0).all()


def test_what_rounding_puts_out_of_range_is_no_model() -> None:
    base_D = np.full(SPAN, -1000.0, np.float32)
    new_D = np.full(SPAN, 1023.99, np.float32)
    new_D[1:] = 1023.0
    base_D[1:] = 0.0
    with pytest.raises(CannotCombineError, match="rounded"):
        written(base_D, new_D, 4)
