"""What a node draws for one attempt: it stays in its memory, and is never used again."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fedtui.crypto import shamir
from fedtui.crypto.keys import KEY_BYTES, KeyPair
from fedtui.secagg import context

Entropy = Callable[[int], bytes]
"""`entropy(n)` gives n bytes of the system's generator."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A mask secret `a` and the key that it gives, a self-mask secret `b`, a sealing key."""

    mask: int = field(repr=False)
    own: int = field(repr=False)
    sealing: KeyPair
    masking: KeyPair


def draw(entropy: Entropy) -> Drawn:
    """Fresh secrets."""
    mask = shamir.element(entropy(shamir.ENTROPY_BYTES))
    own = shamir.element(entropy(shamir.ENTROPY_BYTES))
    sealing = KeyPair.from_secret(entropy(KEY_BYTES))
    return Drawn(mask, own, sealing, context.mask_keys(mask))


def coefficients(entropy: Entropy, num: int) -> list[int]:
    """So many fresh coefficients of a polynomial that shares a secret."""
    size = shamir.ENTROPY_BYTES
    drawn = entropy(size * num)
    return [shamir.element(drawn[i : i + size]) for i in range(0, len(drawn), size)]
