"""WordCheck: is the coordinator that answered the one whose operator we speak with? Pure.

Its operator reads from their own screen; ours types two of the six words, at positions drawn here,
or the whole fingerprint. Nothing of what is expected is shown before. The words come from a slow
hash of the id, so a key whose words are nearly the same is too dear to make, and whoever makes one
does not know which two words will be asked. After MAX_TRIES the check is spent: probe anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NUM_ASKED = 2
MAX_TRIES = 3


@dataclass(slots=True)
class WordCheck:
    """One check of one probed coordinator; `positions` count from 1 and grow.

    Use `draw`. Whether it passed is in `passed`; nothing changes any more after that.
    """

    positions: tuple[int, ...]
    _words: tuple[str, ...] = field(repr=False)
    _fingerprint: str = field(repr=False)
    tries_left: int = MAX_TRIES
    passed: bool = False

    @classmethod
    def draw(
        cls, words: tuple[str, ...], fingerprint: str, below: Callable[[int], int]
    ) -> WordCheck:
        """Choose what to ask; `below(n)` gives a random integer from 0 to n - 1.

        Raises:
            ValueError: there are fewer words than are asked for.
        """
        if len(words) < NUM_ASKED:
            raise ValueError(f"a check needs {NUM_ASKED} words or more")
        left = list(range(1, len(words) + 1))
        drawn = [left.pop(below(len(left))) for _ in range(NUM_ASKED)]
        return cls(tuple(sorted(drawn)), words, fingerprint)

    @property
    def spent(self) -> bool:
        """Whether it failed for good: probe the coordinator anew."""
        return not self.passed and self.tries_left == 0

    def type_words(self, typed: Sequence[str]) -> bool:
        """Take the words asked for, in the order of `positions`; True if the check passed.

        Case and blanks around do not matter.
        """
        expected = [self._words[position - 1] for position in self.positions]
        given = [word.strip().casefold() for word in typed]
        return self._judge(" ".join(given), " ".join(expected), whole=len(given) == len(expected))

    def type_fingerprint(self, typed: str) -> bool:
        """Take the whole fingerprint; case, blanks and dashes do not matter."""
        given, expected = _letters(typed), _letters(self._fingerprint)
        return self._judge(given, expected, whole=bool(expected))

    def _judge(self, given: str, expected: str, *, whole: bool) -> bool:
        if self.passed or self.spent:
            return self.passed
        self.tries_left -= 1
        self.passed = compare_digest(given.encode(), expected.encode()) and whole
        return self.passed


def looks_like_fingerprint(typed: str) -> bool:
    """Whether this is meant as a fingerprint rather than as words."""
    letters = _letters(typed)
    return len(letters) > 24 or any(letter in "234567" for letter in letters)


def _letters(text: str) -> str:
    return "".join(text.split()).replace("-", "").upper()
