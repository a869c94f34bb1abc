"""The mean against exact fractions, and its independence of order."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedtui import plugins
from fedtui.aggregators.base import View
from fedtui.aggregators.mean import Mean

LARGEST = float(np.nextafter(np.float32(1024), np.float32(0)))
values = st.floats(-LARGEST, LARGEST, width=32)
weights = st.integers(1, 2**40)


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[list[np.ndarray], list[int]]:
    num_updates = draw(st.integers(1, 9))
    size = draw(st.integers(1, 6))
    updates = [draw(hnp.arrays(np.float32, size, elements=values)) for _ in range(num_updates)]
    return updates, [draw(weights) for _ in range(num_updates)]


@given(cohorts(), st.randoms(use_true_random=False))
def test_any_order_gives_the_same_bits(
    cohort: tuple[list[np.ndarray], list[int]], random: object
) -> None:
    updates, counts = cohort
    order = list(range(len(updates)))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    first = Mean().combine(updates, counts)
    second = Mean().combine([updates[i] for i in order], [counts[i] for i in order])
    assert first.tobytes() == second.tobytes()


@given(cohorts())
def test_close_to_the_exact_mean(cohort: tuple[list[np.ndarray], list[int]]) -> None:
    updates, counts = cohort
    mean = Mean().combine(updates, counts)
    total = sum(counts)
    for place, found in enumerate(mean):
        exact = (
            sum(
                Fraction(float(update[place])) * weight
                for update, weight in zip(updates, counts, strict=True)
            )
            / total
        )
        largest = max(abs(Fraction(float(update[place]))) for update in updates)
        bound = Fraction(len(updates) + 2, 2**53) + largest / 2**50
        assert abs(Fraction(float(found)) - exact) <= bound


@pytest.mark.parametrize("sign", [1, -1])
def test_the_extremes_do_not_overflow(sign: int) -> None:
    updates = [np.full(3, sign * LARGEST, np.float32)] * 1000
    mean = Mean().combine(updates, [2**40 - 1, *[1] * 999])
    np.testing.assert_allclose(mean, sign * LARGEST, rtol=1e-12)


def test_equal_weights_are_the_plain_mean() -> None:
    updates = [np.array([1.0, -2.0], np.float32), np.array([3.0, 4.0], np.float32)]
    assert Mean().combine(updates, [7, 7]).tolist() == [2.0, 1.0]


def test_the_buffer_of_an_update_may_be_used_again() -> None:
    buffer = np.empty(2, np.float32)

    def one_buffer() -> object:
        for value in (1.0, 3.0):
            buffer[:] = value
            yield buffer

    assert Mean().combine(one_buffer(), [1, 1]).tolist() == [2.0, 2.0]  # type: ignore[arg-type]


@pytest.mark.parametrize(("num", "counts"), [(0, []), (1, [0]), (1, [-3]), (2, [1]), (1, [1, 2])])
def test_what_has_no_mean_is_refused(num: int, counts: list[int]) -> None:
    with pytest.raises(ValueError, match=r"mean|zip"):
        Mean().combine([np.zeros(2, np.float32)] * num, counts)


def test_the_registry_builds_it_and_it_needs_sums_only() -> None:
    assert plugins.build("aggregators", "mean").view is View.SUM
