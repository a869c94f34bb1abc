"""Matching: which lines a filter lets through, by level, source and text or /regex/. Pure.

`Tail` keeps the matching lines of a log that only grows, and looks at new lines only.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.tui.store import KEPT_LINES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.status import Level, LogLine, Source

LEVELS: tuple[Level, ...] = ("info", "ok", "warning", "error")
SOURCES: tuple[Source, ...] = ("node", "round", "train", "link", "peer", "privacy", "operator")
MAX_SEARCHED = 500


class BadFilter(Exception):  # noqa: N818  reads as what happened
    """A regular expression that is none, or too large; the text says where it breaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """`text` is searched for in any case; between slashes it is a regular expression.

    `least` is an index of LEVELS, `source` "" all of them.
    """

    text: str = ""
    least: int = 0
    source: str = ""

    def __post_init__(self) -> None:
        self._pattern()

    def _pattern(self) -> re.Pattern[str] | None:
        if len(self.text) < 2 or not self.text.startswith("/"):
            return None
        try:
            return re.compile(self.text[1:].removesuffix("/"), re.IGNORECASE)
        except (re.error, OverflowError, RecursionError) as error:
            raise BadFilter(f"{self.text}: {error}") from error

    def lets(self, line: LogLine) -> bool:
        """Whether this line of the log is shown."""
        if LEVELS.index(line.level) < self.least or self.source not in {"", line.source}:
            return False
        return self.finds(line.text)

    def finds(self, text: str) -> bool:
        """Whether the text is in it, or the expression found."""
        searched = text[:MAX_SEARCHED]
        pattern = self._pattern()
        if pattern is not None:
            return pattern.search(searched) is not None
        return self.text.lower() in searched.lower()


class Tail:
    """The lines of a log that a filter lets through, oldest first, at most KEPT_LINES."""

    def __init__(self) -> None:
        self.filter = Filter()
        self.lines: deque[LogLine] = deque(maxlen=KEPT_LINES)
        self._first: LogLine | None = None
        self._last: LogLine | None = None

    def set(self, wanted: Filter) -> None:
        """Another filter: everything is looked at again."""
        if wanted != self.filter:
            self.filter = wanted
            self._last = None

    def follow(self, log: Sequence[LogLine] | deque[LogLine]) -> int:
        """Take up what is new; how many lines came in at the end, or -1 if all are others."""
        if not log:
            num_before = len(self.lines)
            self.lines.clear()
            self._first = self._last = None
            return -1 if num_before else 0
        newest, oldest = log[-1], log[0]
        grew_before = oldest is not self._first and len(log) < KEPT_LINES
        if self._last is newest and not grew_before:
            return 0
        fresh: list[LogLine] = []
        for line in reversed(log):
            if line is self._last:
                break
            fresh.append(line)
        again = self._last is None or grew_before or len(fresh) == len(log)
        self._first, self._last = oldest, newest
        if again:
            fresh = list(reversed(log))
            self.lines.clear()
        found = [line for line in reversed(fresh) if self.filter.lets(line)]
        self.lines.extend(found)
        return -1 if again else len(found)
