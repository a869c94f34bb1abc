"""Shamir's secret sharing (1979): any `threshold` of n shares give the secret, fewer nothing.

    f(x) = secret + c_1 x + ... + c_(t-1) x^(t-1)      over the integers modulo 2**255 - 19
    share at x: f(x), for x = 1, 2, ...                secret: f(0), by Lagrange interpolation

The coefficients are uniform in the field, so t - 1 shares fit every secret equally well. They are
arguments here: entropy enters from outside. Python's integers reduce lazily; x is a small number,
so one reduction at the end of Horner's rule is enough.

A share that somebody altered gives another secret, and nothing in the arithmetic shows it: whoever
recovers a secret must compare it with something that was committed to before.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import prod

from fedtui.errors import CryptoError, LocalProtocolError

PRIME = 2**255 - 19
ELEMENT_BYTES = 32
ENTROPY_BYTES = 64


def element(entropy: bytes) -> int:
    """Return the field element of 64 uniformly random bytes; its bias is below 2**-256."""
    if len(entropy) != ENTROPY_BYTES:
        raise LocalProtocolError(f"an element is made of {ENTROPY_BYTES} random bytes")
    return int.from_bytes(entropy, "little") % PRIME


def to_bytes(value: int) -> bytes:
    """Return a field element as 32 bytes, little-endian."""
    return value.to_bytes(ELEMENT_BYTES, "little")


def from_bytes(data: bytes) -> int:
    """Return the field element in 32 bytes.

    Raises:
        CryptoError: another length, or a number that is not reduced: there is one form of each.
    """
    value = int.from_bytes(data, "little")
    if len(data) != ELEMENT_BYTES or value >= PRIME:
        raise CryptoError("this is not a share: not an element of the field")
    return value


def share(secret: int, coefficients: Sequence[int], xs: Iterable[int]) -> list[int]:
    """Return the share of `secret` at each x (1, 2, ...).

    The threshold is one more than the number of coefficients, which must be fresh and uniform.
    """
    falling = tuple(reversed(coefficients))
    shares = []
    for x in xs:
        if x < 1:
            raise LocalProtocolError("there is no share at 0: that is the secret")
        value = 0
        for coefficient in falling:
            value = value * x + coefficient
        shares.append((value * x + secret) % PRIME)
    return shares


class Recovery:
    """Secrets from the shares of one set of holders; its Lagrange coefficients are made once."""

    def __init__(self, xs: Iterable[int], *, at: int = 0) -> None:
        """Take the places x of exactly `threshold` holders, all different and not 0.

        `at` is where the polynomial is asked for: 0 for the secret, another x for its share.
        """
        self.xs = tuple(xs)
        if len(set(self.xs)) != len(self.xs) or not self.xs or min(self.xs) < 1:
            raise LocalProtocolError("shares are recovered from different places from 1 on")
        self._factors = {x: _lagrange(x, self.xs, at) for x in self.xs}

    def value(self, shares: Mapping[int, int]) -> int:
        """Return f(at) from the share at each of `xs`; others that are given are not looked at."""
        return sum(factor * shares[x] for x, factor in self._factors.items()) % PRIME


def _lagrange(x: int, xs: tuple[int, ...], at: int) -> int:
    """The factor of the share at x: the product of (x_j - at) / (x_j - x) over the others."""
    others = [other for other in xs if other != x]
    above = prod(other - at for other in others) % PRIME
    below = prod(other - x for other in others) % PRIME
    return above * pow(below, -1, PRIME) % PRIME
