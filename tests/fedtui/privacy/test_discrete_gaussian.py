"""The noise against the exact distribution: by its tables, and by what comes out."""

import decimal
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from fedtui.errors import LocalProtocolError
from fedtui.privacy import discrete_gaussian
from fedtui.privacy.discrete_gaussian import Source, sample

SEED = bytes(range(32))
NUM = 200_000


def exact(sigma: float, reach: int) -> dict[int, Decimal]:
    """The probabilities from -reach to reach, to 60 digits."""
    with decimal.localcontext() as context:
        context.prec = 60
        two_squares = 2 * Decimal(sigma) ** 2
        density = {x: (-(Decimal(x) ** 2) / two_squares).exp() for x in range(-reach, reach + 1)}
        total = sum(density.values())
        return {x: value / total for x, value in density.items()}


@pytest.mark.parametrize("sigma", [0.01, 0.3, 1.0, 7.5, 31.9, 32.0, 40.0, 70.1])
def test_that_the_tables_are_the_distribution(sigma: float) -> None:
    """What a table gives is worked out, with the exact chance of every place to be kept."""
    table = discrete_gaussian._table(sigma)
    width, size = 1 << table.width_bits, len(table.whole)
    of_bin = dict.fromkeys(range(size), Fraction(0))
    for at, whole in enumerate(table.whole):
        itself = Fraction(whole, 2**128)
        of_bin[at] += itself / size
        of_bin[int(table.other_T[at])] += (1 - itself) / size
    reach = discrete_gaussian.most(sigma) + 20
    with decimal.localcontext() as context:
        context.prec = 60
        made = dict.fromkeys(range(-reach, reach + 1), Decimal(0))
        for at, chance in of_bin.items():
            first, near = int(table.first_T[at]), int(table.near_T[at])
            for x in range(first, first + width) if chance else ():
                fall = Fraction(x * x - near * near) / (2 * Fraction(sigma) ** 2)
                kept = (-Decimal(fall.numerator) / Decimal(fall.denominator)).exp()
                made[x] += Decimal(chance.numerator) / Decimal(chance.denominator) / width * kept
        total = sum(made.values())
        wanted = exact(sigma, reach)
        distance = sum(abs(made[x] / total - wanted[x]) for x in wanted) / 2
    assert distance < Decimal(2) ** -115


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.0, 20.0, 33.0, 50.0])
def test_that_what_comes_out_is_the_distribution(sigma: float) -> None:
    values = sample(sigma, NUM, Source(SEED))
    reach = int(3 * sigma) + 1
    wanted = exact(sigma, 12 * reach)
    places = range(-reach, reach + 1)
    seen = np.array([np.count_nonzero(values == x) for x in places], float)
    chances = np.array([float(wanted[x]) for x in places])
    seen = np.append(seen, NUM - seen.sum())
    chances = np.append(chances, 1 - chances.sum())
    usual = chances * NUM > 5
    chi = (((seen - chances * NUM) ** 2) / (chances * NUM))[usual].sum()
    freedom = usual.sum() - 1
    assert chi < freedom + 5 * math.sqrt(2 * freedom) + 10


@pytest.mark.parametrize("sigma", [100.0, 1000.0, 6.1e5, 2.0**32, 2.0**36])
def test_the_moments_and_tails_of_large_noise(sigma: float) -> None:
    values = sample(sigma, NUM, Source(SEED)) / sigma
    assert abs(values.mean()) < 5 / math.sqrt(NUM)
    assert abs(values.var() - 1) < 5 * math.sqrt(2 / NUM)
    assert abs((values**3).mean()) < 5 * math.sqrt(15 / NUM)
    assert abs((values**4).mean() - 3) < 5 * math.sqrt(96 / NUM)
    for far, chance in ((2, 0.0455003), (3, 0.0026998), (4, 6.334e-5)):
        count = np.count_nonzero(np.abs(values) > far)
        assert abs(count - NUM * chance) < 5 * math.sqrt(NUM * chance) + 0.002 * NUM * chance
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 5 / math.sqrt(NUM)


def test_that_low_bits_of_large_noise_are_even() -> None:
    values = sample(6.1e5, NUM, Source(SEED))
    seen = np.bincount(values & 15, minlength=16)
    assert (((seen - NUM / 16) ** 2) / (NUM / 16)).sum() < 15 + 5 * math.sqrt(30) + 10


@pytest.mark.parametrize("sigma", [50.0, 6.1e5])
def test_that_the_exact_comparisons_agree_with_the_floats(
    sigma: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Floats decide what is clear; here nothing is clear, so that digits decide it all."""
    usual = sample(sigma, 2000, Source(SEED))
    monkeypatch.setattr(discrete_gaussian, "_UNSURE", 2.0)
    assert np.array_equal(sample(sigma, 2000, Source(SEED)), usual)


def test_that_the_first_bits_of_a_comparison_are_followed_by_the_rest() -> None:
    table = discrete_gaussian._table(3.0)
    at = next(i for i, whole in enumerate(table.whole) if 0 < whole < 2**128)
    more, head = 74, int(table.head_T[at])
    share = (table.whole[at] - (head << more)) / 2**more
    source = Source(SEED)
    hits = sum(discrete_gaussian._is_itself(table, at, head, source) for _ in range(4000))
    assert abs(hits / 4000 - share) < 5 * math.sqrt(0.25 / 4000)


def test_that_a_seed_decides_all_and_another_changes_all() -> None:
    first = sample(1e4, 20_000, Source(SEED))
    assert np.array_equal(first, sample(1e4, 20_000, Source(SEED)))
    other = sample(1e4, 20_000, Source(b"\1" * 32))
    assert np.count_nonzero(first == other) < 20
    source = Source(SEED)
    assert not np.array_equal(sample(1e4, 100, source), sample(1e4, 100, source))


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, 2.0**37])
def test_that_other_sigmas_are_refused(sigma: float) -> None:
    with pytest.raises(LocalProtocolError):
        sample(sigma, 10, Source(SEED))


def test_that_a_short_seed_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        Source(b"short")


def test_that_no_value_is_beyond_most() -> None:
    for sigma in (0.01, 1.0, 17.3, 900.0):
        table = discrete_gaussian._table(sigma)
        ends = [*table.first_T, *(table.first_T + (1 << table.width_bits) - 1)]
        assert max(map(abs, map(int, ends))) <= discrete_gaussian.most(sigma)
