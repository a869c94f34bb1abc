"""What docs/robustness.md says of sketch checks: who passes, and what is measured."""

import numpy as np
import pytest

from benchmarks import sketch_check


@pytest.mark.parametrize(
    ("holders", "lost", "what"),
    [
        (3, 0, "passes"),
        (5, 0, "caught"),
        (5, 1, "who lies cannot be told: nobody's length is known"),
        (5, 2, "passes"),
        (3, 1, "nothing can be opened"),
    ],
)
def test_a_liar_that_holds_a_share_of_its_own_sketch(holders: int, lost: int, what: str) -> None:
    assert sketch_check.liar(holders, 1, lost) == what


@pytest.mark.parametrize("size", [64, 1024])
def test_a_sketch_is_linear_exact_and_about_as_long_as_its_vector(size: int) -> None:
    of = sketch_check.signs(20_000, size, 1)
    rng = np.random.default_rng(2)
    one_D, other_D = rng.integers(-(2**27), 2**27, (2, 20_000))
    sums = sketch_check.sketch(one_D, of, size) + sketch_check.sketch(other_D, of, size)
    assert np.array_equal(sums, sketch_check.sketch(one_D + other_D, of, size))
    length = np.linalg.norm(sketch_check.sketch(one_D, of, size).astype(float))
    _, wrong = sketch_check.spread(size, tries=1000)
    assert length == pytest.approx(np.linalg.norm(one_D.astype(float)), rel=5 * wrong)


def test_who_knows_the_signs_before_sends_a_thousand_clips_that_measure_nothing() -> None:
    assert sketch_check.chosen_first(10_000, 64) == 0
