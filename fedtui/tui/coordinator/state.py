"""View: all that the coordinator's screen draws from, at one moment. Pure.

`reduce` makes the next one: what the coordinator says, what the operator chose and the passing of
time are events alike. The clocks of the two programs may differ, so ages are counted on the
coordinator's: by what it said, plus the time since. While nobody answers they stand still.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fedtui.status.coordinator import (
    Board,
    BoardSeen,
    ConnectionLost,
    Happened,
    InviteLine,
    InvitesSeen,
    NodeRow,
    Seen,
)
from fedtui.tui.glyphs import BRAILLE, Glyphs

MAX_EVENTS = 1000
MAX_FILTER = 60
_GONE_STATES = frozenset({"expelled", "left", "rotated"})


@dataclass(frozen=True, slots=True)
class Filtered:
    """The operator looks for this text in nodes, invites, alarms and events."""

    text: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The operator saw every alarm so far."""


@dataclass(frozen=True, slots=True)
class FormerShown:
    """The operator wants to see nodes that are out, or not any more."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time passed; `now` in seconds of this program's clock."""

    now: float


Event = Seen | Filtered | Acknowledged | FormerShown | Ticked


@dataclass(frozen=True, slots=True)
class View:
    """`now` and `heard_at` are of this program's clock; `lost` is set while nobody answers."""

    board: Board | None = None
    invites: tuple[InviteLine, ...] = ()
    events: tuple[Happened, ...] = ()
    lost: ConnectionLost | None = None
    now: float = 0.0
    heard_at: float = 0.0
    filter: str = ""
    acknowledged: int = 0
    shows_former: bool = False
    glyphs: Glyphs = field(default=BRAILLE)

    @property
    def there(self) -> float:
        """The coordinator's time now, UTC seconds; it stands still while nobody answers."""
        if self.board is None:
            return 0.0
        passed = 0.0 if self.lost is not None else max(0.0, self.now - self.heard_at)
        return self.board.at + passed

    @property
    def nodes(self) -> tuple[NodeRow, ...]:
        """The nodes to show: those that ask first, those that are out last or not at all."""
        board = self.board
        if board is None:
            return ()
        return tuple(
            row
            for row in board.nodes
            if (row.state not in _GONE_STATES or self.shows_former)
            and self._matches(row.label, row.fingerprint, row.phase, row.state, row.role)
        )

    @property
    def shown_invites(self) -> tuple[InviteLine, ...]:
        """The invites to show: open ones first, each newest first."""
        found = [i for i in self.invites if self._matches(i.label, i.id, i.state, i.role)]
        return tuple(sorted(found, key=lambda invite: invite.state != "open"))

    @property
    def shown_events(self) -> tuple[Happened, ...]:
        """The events to show, newest last."""
        if not self.filter:
            return self.events
        return tuple(e for e in self.events if self._matches(e.text, e.source))

    @property
    def num_unseen(self) -> int:
        """Alarms that the operator has not acknowledged."""
        if self.board is None:
            return 0
        return sum(alarm.number > self.acknowledged for alarm in self.board.alarms)

    @property
    def pending(self) -> tuple[NodeRow, ...]:
        """Nodes that are connected and wait for approval."""
        return tuple(
            row for row in (self.board.nodes if self.board else ()) if row.phase == "asks"
        )

    def _matches(self, *texts: str) -> bool:
        wanted = self.filter.casefold()
        return not wanted or any(wanted in text.casefold() for text in texts)


def reduce(view: View, event: Event) -> View:
    """The view after `event`."""
    match event:
        case BoardSeen(board=board):
            return _seen(view, board)
        case InvitesSeen(invites=invites):
            return replace(view, invites=invites)
        case Happened():
            return replace(view, events=(*view.events, event)[-MAX_EVENTS:])
        case ConnectionLost():
            return view if view.lost is not None else replace(view, lost=event)
        case Filtered(text=text):
            return replace(view, filter=text.strip()[:MAX_FILTER])
        case Acknowledged():
            alarms = view.board.alarms if view.board is not None else ()
            newest = max((alarm.number for alarm in alarms), default=0)
            return replace(view, acknowledged=max(view.acknowledged, newest))
        case FormerShown():
            return replace(view, shows_former=not view.shows_former)
        case Ticked(now=now):
            return replace(view, now=now)


def _seen(view: View, board: Board) -> View:
    """Another life of the coordinator counts its alarms from 1 again."""
    before = view.board
    same = before is None or before.incarnation == board.incarnation
    return replace(
        view,
        board=board,
        lost=None,
        heard_at=view.now,
        acknowledged=view.acknowledged if same else 0,
    )
