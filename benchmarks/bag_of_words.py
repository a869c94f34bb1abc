"""Which of 20 topics a bag of made-up words is about: inputs and gradients are mostly zeros.

A stand-in for the tag prediction of Reddi et al. (arXiv:2003.00295), a logistic regression over
bags of words, which needs no text: words are drawn from Zipf's law, and every topic says some
words, common or rare ones, more often than the others do. The draw is the same everywhere.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from fedtui.learning.data import Examples
from fedtui.learning.objectives import Classification

if TYPE_CHECKING:
    from fedtui.learning.data import Array, DataSource

TOPICS, WORDS, LENGTH = 20, 2000, 30
OWN_WORDS, MORE_OFTEN = 100, 6.0
SIZES = {"train": 20_000, "test": 4_000}
_SEED = 20_201_102


class BagOfWords(Classification):
    """One linear layer over the shares of the 2,000 words in a text of 30."""

    labels = tuple(f"topic {number}" for number in range(TOPICS))

    def model(self) -> nn.Module:
        return nn.Linear(WORDS, TOPICS)

    def data(self, source: DataSource) -> Examples:
        """Counts of shape (n, 2000), uint8; topics are about equally frequent."""
        return _drawn(source.part)

    def prepare(self, x: Array) -> Array:
        return x.astype(np.float32) / np.float32(LENGTH)


@functools.cache
def _drawn(part: str) -> Examples:
    zipf = 1 / np.arange(5, 5 + WORDS)
    topics = np.random.default_rng(_SEED)
    rng = np.random.default_rng((_SEED, len(part)))
    y = rng.integers(TOPICS, size=SIZES[part])
    x = np.zeros((len(y), WORDS), np.uint8)
    for topic in range(TOPICS):
        chances = zipf.copy()
        chances[topics.choice(WORDS, OWN_WORDS, replace=False)] *= MORE_OFTEN
        rows = np.flatnonzero(y == topic)
        words = rng.choice(WORDS, (len(rows), LENGTH), p=chances / chances.sum())
        np.add.at(x, (rows[:, None], words), 1)
    return Examples(x, y)


build = BagOfWords
