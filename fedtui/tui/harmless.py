"""Harmless: a text from elsewhere as one that a terminal only draws. Pure.

Control characters, escapes and marks that turn the direction of writing go; a letter keeps two
combining marks at most; what is longer than asked for is cut, and says so.
"""

from __future__ import annotations

import unicodedata

MAX_MARKS = 2
MAX_TEXT = 500


def harmless(text: str, most: int = MAX_TEXT, mark: str = "…") -> str:
    """At most `most` characters of `text`; line breaks and tabs become blanks."""
    kept: list[str] = []
    marks = 0
    for letter in text:
        if letter.isspace():
            letter = " "  # noqa: PLW2901  each kind of blank is a plain one
        kind = unicodedata.category(letter)
        if kind[0] == "C":
            continue
        marks = marks + 1 if kind[0] == "M" else 0
        if marks > MAX_MARKS:
            continue
        if len(kept) == most:
            return "".join(kept[: most - 1]) + mark
        kept.append(letter)
    return "".join(kept)


def path_like(text: str, most: int = 300) -> str:
    """A path as it may be shown: harmless, cut at the front, for its end says more."""
    clean = harmless(text, most=10_000)
    return clean if len(clean) <= most else "…" + clean[-(most - 1) :]
