"""Secrets of an attempt: all of them fresh, none of them shown."""

from fedtui.crypto import shamir
from fedtui.secagg import context, drawn


def counting(start: int = 0):
    """Bytes that never repeat, and how many were asked for."""
    asked = []

    def entropy(num: int) -> bytes:
        asked.append(num)
        return bytes((start + len(asked) + i) % 256 for i in range(num))

    return entropy, asked


def test_every_secret_has_entropy_of_its_own() -> None:
    entropy, asked = counting()
    made = drawn.draw(entropy)
    assert asked == [shamir.ENTROPY_BYTES, shamir.ENTROPY_BYTES, 32]
    assert made.mask != made.own
    assert made.masking.public == context.mask_keys(made.mask).public
    assert drawn.draw(counting(9)[0]).sealing.public != made.sealing.public


def test_coefficients_are_cut_from_one_draw() -> None:
    entropy, asked = counting()
    found = drawn.coefficients(entropy, 3)
    assert asked == [3 * shamir.ENTROPY_BYTES]
    assert len(set(found)) == 3
    assert all(0 <= value < shamir.PRIME for value in found)
    assert drawn.coefficients(entropy, 0) == []


def test_no_repr_shows_a_secret() -> None:
    made = drawn.draw(counting()[0])
    for secret in (made.mask, made.own):
        assert str(secret) not in repr(made)
