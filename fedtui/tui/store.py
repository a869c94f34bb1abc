"""Store: the newest status, and the longer memory that a screen needs of events.

The node's status keeps the last few log lines; the store keeps thousands, so that following the
events of a day costs the node nothing. It coalesces: whatever arrives between two ticks of the
refresh is one View. `freeze` holds the View still while data flows on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from fedtui.tui.view import View
from fedtui.tui.washing import Washer, washed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fedtui.status import LedgerLine, LogLine, NodeStatus
    from fedtui.tui.glyphs import Glyphs

KEPT_LINES = 10_000
T = TypeVar("T")


class Store:
    """Holds what is shown. `clock` gives UTC seconds."""

    def __init__(self, *, clock: Callable[[], float], glyphs: Glyphs) -> None:
        self._clock = clock
        self._view = View(now=clock(), glyphs=glyphs)
        self._frozen: View | None = None
        self._washer = Washer()
        self.log: deque[LogLine] = deque(maxlen=KEPT_LINES)
        self.ledger: deque[LedgerLine] = deque(maxlen=KEPT_LINES)

    @property
    def live(self) -> View:
        """The newest, whatever is frozen: for commands."""
        return replace(self._view, now=self._clock())

    def view(self) -> View:
        """What to draw now."""
        now = self._clock()
        if self._frozen is not None:
            return replace(self._frozen, now=now)
        return replace(self._view, now=now)

    def heard(self, status: NodeStatus) -> None:
        """The node said this: lines that are new are kept, and no text of it can act."""
        status = self._washer.wash(status)
        self._extend(self.log, status.log)
        self._extend(self.ledger, status.ledger)
        self._view = replace(self._view, status=status, heard_at=self._clock(), lost_at=None)

    def remember(self, log: Iterable[LogLine], ledger: Iterable[LedgerLine]) -> None:
        """Older lines, read once after attaching; they come before those heard meanwhile."""
        self._before(self.log, washed(tuple(log)))
        self._before(self.ledger, washed(tuple(ledger)))

    def lost(self) -> None:
        """The node does not answer."""
        if self._view.lost_at is None:
            self._view = replace(self._view, lost_at=self._clock())

    def read_only(self, why: str) -> None:
        self._view = replace(self._view, read_only=why)

    def draw_with(self, *, glyphs: Glyphs | None = None, log_scale: bool | None = None) -> None:
        """Other signs, or another scale of charts."""
        if glyphs is not None:
            self._view = replace(self._view, glyphs=glyphs)
        if log_scale is not None:
            self._view = replace(self._view, log_scale=log_scale)

    def freeze(self) -> bool:
        """Hold the picture still, or let it go on; True if it is still now."""
        if self._frozen is None:
            now = self._clock()
            self._frozen = replace(self._view, now=now, frozen_at=now)
        else:
            self._frozen = None
        return self._frozen is not None

    @staticmethod
    def _extend(kept: deque[T], tail: tuple[T, ...]) -> None:
        """Append what of `tail` is newer than the newest kept line."""
        last = kept[-1] if kept else None
        places = [place for place, line in enumerate(tail) if line == last]
        kept.extend(tail[places[-1] + 1 :] if places else tail)

    @staticmethod
    def _before(kept: deque[T], older: tuple[T, ...]) -> None:
        known = set(kept)
        kept.extendleft(reversed([line for line in older if line not in known]))
