"""Shares against interpolation over fractions, and against vectors made without this code."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.crypto import shamir
from fedtui.crypto.shamir import PRIME, Recovery
from fedtui.errors import CryptoError, LocalProtocolError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "secagg.json").read_text())
SECRET, OTHER = 2**200 + 5, PRIME - 1

elements = st.integers(0, PRIME - 1) | st.sampled_from([0, 1, PRIME - 1])
places = st.integers(1, 130) | st.integers(1, 2**16)


@st.composite
def polynomials(draw: st.DrawFn) -> tuple[int, list[int], list[int]]:
    """A secret, t - 1 coefficients, and t or more different places."""
    coefficients = draw(st.lists(elements, max_size=7))
    num_places = st.lists(places, min_size=len(coefficients) + 1, max_size=12, unique=True)
    return draw(elements), coefficients, draw(num_places)


def naive_share(secret: int, coefficients: list[int], x: int) -> int:
    return sum(c * x**power for power, c in enumerate([secret, *coefficients])) % PRIME


def naive_value(points: dict[int, int], at: int) -> int:
    """Lagrange's formula with fractions, taken modulo p at the very end."""
    total = Fraction(0)
    for x, y in points.items():
        term = Fraction(y)
        for other in points:
            if other != x:
                term *= Fraction(at - other, x - other)
        total += term
    return total.numerator * pow(total.denominator, -1, PRIME) % PRIME


def naive_coefficients(points: dict[int, int]) -> list[int]:
    """The polynomial through the points, by Newton's divided differences, lowest power first."""
    xs, table = list(points), list(points.values())
    for step in range(1, len(xs)):
        for i in range(len(xs) - 1, step - 1, -1):
            below = pow(xs[i] - xs[i - step], -1, PRIME)
            table[i] = (table[i] - table[i - 1]) * below % PRIME
    powers: list[int] = []
    for x, top in zip(reversed(xs), reversed(table), strict=True):
        raised = [0, *powers]
        for i, c in enumerate(powers):
            raised[i] -= x * c
        raised[0] += top
        powers = [c % PRIME for c in raised]
    return powers


@given(polynomials(), st.data())
def test_any_threshold_of_the_shares_give_the_secret(
    polynomial: tuple[int, list[int], list[int]], data: st.DataObject
) -> None:
    secret, coefficients, xs = polynomial
    shares = dict(zip(xs, shamir.share(secret, coefficients, xs), strict=True))
    assert shares == {x: naive_share(secret, coefficients, x) for x in xs}
    some = data.draw(st.permutations(xs))[: len(coefficients) + 1]
    assert Recovery(some).value(shares) == secret  # the others that are given do not matter
    assert naive_value({x: shares[x] for x in some}, 0) == secret


@given(polynomials(), st.data())
def test_recovery_at_another_place_gives_the_share_there(
    polynomial: tuple[int, list[int], list[int]], data: st.DataObject
) -> None:
    secret, coefficients, xs = polynomial
    at = data.draw(st.sampled_from(xs) | places)
    some = xs[: len(coefficients) + 1]
    shares = dict(zip(some, shamir.share(secret, coefficients, some), strict=True))
    [there] = shamir.share(secret, coefficients, [at])
    assert Recovery(some, at=at).value(shares) == there == naive_value(shares, at)


@given(polynomials(), elements)
def test_fewer_than_the_threshold_fit_every_secret(
    polynomial: tuple[int, list[int], list[int]], other: int
) -> None:
    # For every other secret there is exactly one choice of coefficients that gives these shares:
    # coefficients are uniform, so all secrets are equally likely.
    secret, coefficients, xs = polynomial
    few = xs[: len(coefficients)]
    shares = shamir.share(secret, coefficients, few)
    fitted = naive_coefficients({0: other, **dict(zip(few, shares, strict=True))})
    assert fitted[0] == other
    assert len(fitted) == len(coefficients) + 1
    assert shamir.share(other, fitted[1:], few) == shares


@given(polynomials(), st.data())
def test_one_altered_share_gives_another_secret(
    polynomial: tuple[int, list[int], list[int]], data: st.DataObject
) -> None:
    secret, coefficients, xs = polynomial
    some = xs[: len(coefficients) + 1]
    shares = dict(zip(some, shamir.share(secret, coefficients, some), strict=True))
    altered = data.draw(st.sampled_from(some))
    shares[altered] = (shares[altered] + data.draw(st.integers(1, PRIME - 1))) % PRIME
    assert Recovery(some).value(shares) != secret


def test_one_recovery_serves_many_secrets() -> None:
    recovery = Recovery(iter([2, 9]))
    for secret in (0, SECRET, OTHER):
        shares = dict(zip((2, 9), shamir.share(secret, [7], [2, 9]), strict=True))
        assert recovery.value(shares) == secret


@pytest.mark.parametrize("xs", [[], [0], [0, 1], [-1, 2], [1, 1], [3, 1, 3]])
def test_places_that_hold_no_polynomial_are_refused(xs: list[int]) -> None:
    with pytest.raises(LocalProtocolError, match="different places"):
        Recovery(xs)


@given(elements)
def test_an_element_reads_back_from_its_one_form(value: int) -> None:
    data = shamir.to_bytes(value)
    assert data == bytes((value >> 8 * i) & 255 for i in range(32))
    assert shamir.from_bytes(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(31),
        bytes(33),
        (1).to_bytes(31, "little"),
        PRIME.to_bytes(32, "little"),
        (PRIME + 5).to_bytes(32, "little"),
        (2**255).to_bytes(32, "little"),
        b"\xff" * 32,
    ],
)
def test_what_is_no_element_is_refused(data: bytes) -> None:
    with pytest.raises(CryptoError, match="not a share"):
        shamir.from_bytes(data)


@given(st.binary(min_size=64, max_size=64))
def test_all_random_bytes_count_in_an_element(entropy: bytes) -> None:
    assert shamir.element(entropy) == sum(b << 8 * i for i, b in enumerate(entropy)) % PRIME


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_an_element_from_other_entropy_is_refused(size: int) -> None:
    with pytest.raises(LocalProtocolError, match="64 random bytes"):
        shamir.element(bytes(size))


@pytest.mark.parametrize("vector", VECTORS["shares"])
def test_known_shares(vector: dict[str, list[str]]) -> None:
    secret = shamir.from_bytes(bytes.fromhex(str(vector["secret"])))
    coefficients = [shamir.element(bytes.fromhex(entropy)) for entropy in vector["entropy"]]
    xs = [int(x) for x in vector["xs"]]
    shares = shamir.share(secret, coefficients, xs)
    assert [shamir.to_bytes(s).hex() for s in shares] == vector["shares"]
    last = dict(list(zip(xs, shares, strict=True))[-len(coefficients) - 1 :])
    assert Recovery(last).value(last) == secret == naive_value(last, 0)
