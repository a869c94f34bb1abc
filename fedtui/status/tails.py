"""What of a tail is new: a status keeps the last few lines, and each status says them again."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def newer(last: T | None, tail: tuple[T, ...]) -> tuple[T, ...]:
    """The lines of `tail` behind `last`; all of them if it is not among them."""
    for place in range(len(tail) - 1, -1, -1):
        if tail[place] == last:
            return tail[place + 1 :]
    return tail
