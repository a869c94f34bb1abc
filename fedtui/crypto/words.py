"""Six words for an id, so that two people can compare fingerprints by voice.

The words come from Argon2id over the id (66 bits): the slow hash makes an id whose words are
nearly the same too dear to grind for. `words.txt` holds 2,048 words: the English list of BIP-39
(Bitcoin Improvement Proposal 39; MIT licence), unchanged, as the PyPI package `mnemonic` 0.21
ships it.
"""

from functools import cache
from importlib import resources

from fedtui.crypto.stretch import MODERATE, Cost, stretch

NUM_WORDS = 6
BITS_PER_WORD = 11


def words(identity_id: bytes, *, cost: Cost = MODERATE) -> tuple[str, ...]:
    """Return the six words of an id.

    Takes about half a second and 256 MiB, so call it off the event loop. Another `cost` gives
    other words: only tests pass one.
    """
    listed = word_list()
    hashed = stretch(identity_id, b"fedtui-words-v1\0", size=16, cost=cost)
    number = int.from_bytes(hashed, "big")
    mask = (1 << BITS_PER_WORD) - 1
    return tuple(listed[number >> BITS_PER_WORD * i & mask] for i in range(NUM_WORDS))


@cache
def word_list() -> tuple[str, ...]:
    """Return the 2,048 words in their order."""
    text = resources.files("fedtui.crypto").joinpath("words.txt").read_text(encoding="ascii")
    return tuple(text.split())
