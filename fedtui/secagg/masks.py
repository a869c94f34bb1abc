"""Masking a vector: encode it chunk by chunk, and put every mask on it, in one pass.

    chunk = encoded values and scalars + masks of `plus` - masks of `minus`       modulo 2**64

A vector is masked once per attempt: two plaintexts under one mask would give their difference.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from fedtui.crypto import keystream
from fedtui.crypto.keys import digest
from fedtui.secagg import encoding
from fedtui.secagg.encoding import Encoder, Encoding, Hidden

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fedtui.crypto.keystream import Words
    from fedtui.learning.params import Vector
    from fedtui.secagg.participant import Masks


def rounding_seed(update_digest: bytes) -> bytes:
    """The seed of an update's stochastic rounding, from its digest: equal updates, equal words."""
    return digest("fedtui1-rounding", update_digest)


def rounding_seed_of(update_D: Vector) -> bytes:
    """The same, of an update at hand: the digest is BLAKE2b-256 of its little-endian float32."""
    data = np.ascontiguousarray(update_D, "<f4").view(np.uint8).data
    return rounding_seed(hashlib.blake2b(data, digest_size=32).digest())


class Masker:
    """One vector on its way out; `chunks` may be taken once."""

    def __init__(self, encoder: Encoder, of: Masks) -> None:
        """Mask what the encoder makes."""
        self._encoder = encoder
        self._masks = of

    @property
    def num_saturated(self) -> int:
        """How many values and scalars so far were out of range."""
        return self._encoder.num_saturated

    def chunks(self) -> Iterator[Words]:
        """The masked words, chunk by chunk, in order. EncodingError as the encoder."""
        of = self._masks
        for index in range(self._encoder.encoding.num_chunks):
            words_C = self._encoder.chunk(index)
            keystream.add(words_C, index, of.plus, by=of.keystream)
            keystream.subtract(words_C, index, of.minus, by=of.keystream)
            yield words_C


def masked(
    layout: Encoding,
    update_D: Vector,
    scalars: Mapping[str, float],
    *,
    weight: float,
    of: Masks,
    hidden: Hidden | None = None,
) -> tuple[Words, int]:
    """The whole masked vector, for those that fit in memory, and how many values were cut."""
    seed = rounding_seed_of(update_D)
    encoder = Encoder(layout, update_D, scalars, weight=weight, rounding_seed=seed, hidden=hidden)
    masker = Masker(encoder, of)
    words = np.empty(layout.num_words, np.uint64)
    for (_, place), words_C in zip(encoding.chunks(layout), masker.chunks(), strict=True):
        words[place] = words_C
    return words, masker.num_saturated
