"""Store: the newest status, and the longer memory that a screen needs of events.

The node's status keeps the last few log lines; the store keeps thousands, so that following the
events of a day costs the node nothing. It coalesces: whatever arrives between two ticks of the
refresh is one View, and only what is looked at is made harmless. `freeze` holds the View still
while data flows on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from fedtui.status import NodeStatus
from fedtui.status.tails import newer
from fedtui.tui.view import View
from fedtui.tui.washing import Washer, washed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fedtui.status import LedgerLine, LogLine
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
        self._heard = NodeStatus()  # as it came; nobody outside gets it unwashed
        self._is_washed = True
        self.log: deque[LogLine] = deque(maxlen=KEPT_LINES)
        self.ledger: deque[LedgerLine] = deque(maxlen=KEPT_LINES)

    @property
    def live(self) -> View:
        """The newest, whatever is frozen: for commands."""
        return replace(self._newest(), now=self._clock())

    def view(self) -> View:
        """What to draw now."""
        now = self._clock()
        if self._frozen is not None:
            return replace(self._frozen, now=now)
        return replace(self._newest(), now=now)

    def _newest(self) -> View:
        if not self._is_washed:
            self._view = replace(self._view, status=self._washer.wash(self._heard))
            self._is_washed = True
        return self._view

    def heard(self, status: NodeStatus) -> None:
        """The node said this: lines that are new are kept, and no text of it can act."""
        before, self._heard, self._is_washed = self._heard, status, False
        self._extend(self.log, before.log, status.log)
        self._extend(self.ledger, before.ledger, status.ledger)
        self._view = replace(self._view, heard_at=self._clock(), lost_at=None)

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
            self._frozen = replace(self._newest(), now=now, frozen_at=now)
        else:
            self._frozen = None
        return self._frozen is not None

    @staticmethod
    def _extend(kept: deque[T], before: tuple[T, ...], tail: tuple[T, ...]) -> None:
        """Append what of `tail` was not in the one before."""
        if tail is not before:
            kept.extend(washed(newer(before[-1] if before else None, tail)))

    @staticmethod
    def _before(kept: deque[T], older: tuple[T, ...]) -> None:
        known = set(kept)
        kept.extendleft(reversed([line for line in older if line not in known]))
