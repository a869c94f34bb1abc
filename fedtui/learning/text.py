"""Plain text as numbers that mean the same on every node: the vocabulary comes from the plan.

A token is a character of a given alphabet, or a word: one of a given list, or else its hash. 0 is
what the vocabulary lacks. Texts are cut into windows that do not overlap, so that what is held out
is never trained on. Files are UTF-8, or a folder that Hugging Face `datasets` saved has a column
`text`; every error is a `DataError` that names the file.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from fedtui.learning import saveddata
from fedtui.learning.data import DataError, Examples, own_path, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fedtui.learning.data import DataSource

Tokens = npt.NDArray[np.int64]

UNKNOWN = 0
NO_TOKEN = -1  # fills rows of `prompts` on the left
_MAX_TOKENS = 2**28
_WORD = re.compile(r"\w+|[^\w\s]")


class Vocabulary(Protocol):
    """Between text and tokens 0 to `size` - 1."""

    @property
    def size(self) -> int:
        """How many tokens there are, the unknown one included."""

    def tokens(self, text: str) -> Tokens:
        """Of any text, shape (n,)."""

    def text(self, tokens: Sequence[int]) -> str:
        """For people to read."""


class Characters:
    """The characters of an alphabet, in its order, from 1. ValueError for one that repeats one."""

    def __init__(self, alphabet: str) -> None:
        if not isinstance(alphabet, str):
            raise TypeError(f"alphabet is a text of characters, not {alphabet!r}")
        if len(alphabet) < 2 or len(set(alphabet)) != len(alphabet):
            raise ValueError("alphabet must be two or more characters, each of them once")
        self._alphabet = alphabet
        self._places = {character: k for k, character in enumerate(alphabet, 1)}

    @property
    def size(self) -> int:
        return len(self._alphabet) + 1

    def tokens(self, text: str) -> Tokens:
        places = self._places
        return np.array([places.get(character, UNKNOWN) for character in text], np.int64)

    def text(self, tokens: Sequence[int]) -> str:
        return "".join(
            "\N{REPLACEMENT CHARACTER}" if t == UNKNOWN else self._alphabet[t - 1] for t in tokens
        )


class Words:
    """Lower-case words and punctuation marks: the listed ones, from 1, then `buckets` of hashes.

    The hash is CRC-32, the same everywhere; several words may share a bucket, which is shown as
    its number. ValueError for an empty vocabulary or a word that is listed twice or is none.
    """

    def __init__(self, words: Sequence[str], buckets: int) -> None:
        if buckets < 0 or len(words) + buckets < 2:
            raise ValueError("words and buckets must make two tokens or more")
        wrong = next((w for w in words if _WORD.fullmatch(w) is None or w != w.lower()), None)
        if wrong is not None or len(set(words)) != len(words):
            raise ValueError(
                "words must be different lower-case words"
                + (f", and {wrong!r} is none" if wrong is not None else "")
            )
        self._words = tuple(words)
        self._places = {word: k for k, word in enumerate(words, 1)}
        self._buckets = buckets

    @property
    def size(self) -> int:
        return 1 + len(self._words) + self._buckets

    def tokens(self, text: str) -> Tokens:
        return np.array([self._token(word) for word in _WORD.findall(text.lower())], np.int64)

    def text(self, tokens: Sequence[int]) -> str:
        return " ".join(self._word(token) for token in tokens)

    def _token(self, word: str) -> int:
        place = self._places.get(word)
        if place is not None or not self._buckets:
            return place or UNKNOWN
        return 1 + len(self._words) + zlib.crc32(word.encode()) % self._buckets

    def _word(self, token: int) -> str:
        if 0 < token <= len(self._words):
            return self._words[token - 1]
        return f"#{token - 1 - len(self._words)}" if token else "?"


def windows(source: DataSource, vocabulary: Vocabulary, length: int) -> Examples:
    """Every text at the source, a file or a folder of them, in windows of `length` tokens.

    `x` and `y` are int64 of shape (n, length); `y` is `x` one token later. What is left over at a
    text's end is dropped.

    Raises:
        DataError: a file that cannot be read, or no text as long as one window.
    """
    path = own_path(source)
    inputs, targets, longest = [], [], 0
    for name, text in _texts(path, source):
        tokens = vocabulary.tokens(text)
        if len(tokens) > _MAX_TOKENS:
            raise DataError(f"{name} has {len(tokens):,} tokens: split it into smaller files")
        longest = max(longest, len(tokens))
        num_windows = max(0, len(tokens) - 1) // length
        whole = num_windows * length
        inputs.append(tokens[:whole].reshape(num_windows, length))
        targets.append(tokens[1 : whole + 1].reshape(num_windows, length))
    if not any(map(len, inputs)):
        raise DataError(
            f"{path}: the longest text has {longest} tokens, an example needs {length + 1}: give "
            "longer texts"
        )
    return Examples(np.concatenate(inputs), np.concatenate(targets))


def prompts(source: DataSource, vocabulary: Vocabulary, length: int) -> Tokens:
    """The last `length` tokens of each line of a file, shape (n, length), NO_TOKEN on the left."""
    path = own_path(source)
    lines = [line for line in _text(path).splitlines() if line.strip()]
    found = np.full((len(lines), length), NO_TOKEN, np.int64)
    for row, line in enumerate(lines):
        tokens = vocabulary.tokens(line)[-length:]
        found[row, length - len(tokens) :] = tokens
    return found


def _texts(path: Path, source: DataSource) -> Iterator[tuple[Path, str]]:
    if saveddata.is_saved(path):
        for text in saveddata.read_columns(path, ["text"], source.part)["text"]:
            yield path, str(text)
        return
    if not path.is_dir():
        yield path, _text(path)
        return
    files = sorted(path.glob("*.txt"))
    if not files:
        raise DataError(f"{path} has no .txt file: name a text file, or a folder of them")
    for file in files:
        yield file, _text(file)


def _text(path: Path) -> str:
    raw = read_bytes(path)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: the byte {raw[error.start]:#04x} is not UTF-8; save the file "
            "as UTF-8"
        ) from error
