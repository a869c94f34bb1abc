"""Drawn: strips kept by what they show, for lines that scroll by and stay the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from textual.strip import Strip

MOST = 1000
Key = TypeVar("Key", bound="Hashable")


class Drawn(Generic[Key]):
    """`look` is all that makes the same line look different: style, width, signs."""

    def __init__(self) -> None:
        self._look: Hashable = None
        self._strips: dict[Key, Strip] = {}

    def strip(self, key: Key, look: Hashable, draw: Callable[[], Strip]) -> Strip:
        """What was drawn for `key` in this look, else what `draw` makes; at most MOST are kept."""
        if look != self._look or len(self._strips) >= MOST:
            self._look = look
            self._strips.clear()
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = draw()
        return strip
