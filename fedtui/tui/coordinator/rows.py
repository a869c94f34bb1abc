"""The rows of the lists: nodes and invites, as cells of plain text. Pure.

Which columns there are follows the width: the last ranks go first, the name takes what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.tui import wording

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fedtui.status.coordinator import InviteLine, NodeRow
    from fedtui.tui.coordinator.state import View
    from fedtui.tui.glyphs import Glyphs

Cell = tuple[str, str]  # text and style (a theme token, or nothing)

_WORKS = {"download", "train", "share", "mask", "upload", "vote", "reveal", "evaluate"}
_DONE = {"ready", "answered", "delivered"}
_BAD = {"lost", "declined", "gone"}
_STATES = {"expelled": "revoked", "left": "left", "rotated": "new key", "pending": "asks"}
_OUTCOMES = {"lost": "dropped", "declined": "declined", "gone": "lost?"}


@dataclass(frozen=True, slots=True)
class Column:
    """`width` in cells, without the space after it; the highest `rank` goes first."""

    title: str
    width: int
    rank: int
    right: bool = False


@dataclass(frozen=True, slots=True)
class _Drawn:
    column: Column
    cell: Callable[[View, NodeRow], Cell]


def node_columns(width: int) -> tuple[Column, ...]:
    """The columns for so many cells; the first, the name, is as wide as there is room."""
    return _fitting([drawn.column for drawn in _NODES], width)


def node_cells(view: View, row: NodeRow, columns: Sequence[Column]) -> list[Cell]:
    """One node in these columns."""
    by_title = {drawn.column.title: drawn.cell for drawn in _NODES}
    return [by_title[column.title](view, row) for column in columns]


def invite_columns(width: int) -> tuple[Column, ...]:
    """The columns of the invites for so many cells."""
    return _fitting(_INVITES, width)


def invite_cells(view: View, invite: InviteLine, columns: Sequence[Column]) -> list[Cell]:
    """One invite in these columns."""
    style = "" if invite.state == "open" else "$quiet"
    left = invite.expires - view.there
    cells: dict[str, Cell] = {
        "invite": (invite.label or invite.id, style),
        "state": (invite.state, "$verified" if invite.state == "open" else "$quiet"),
        "left": (str(invite.uses_left), style),
        "until": (_coarse(left) if invite.state == "open" and left > 0 else "-", style),
        "role": (invite.role, style),
        "joins": ("at once" if invite.auto_approve else "asks", style),
    }
    return [cells[column.title] for column in columns]


def _fitting(columns: Sequence[Column], width: int) -> tuple[Column, ...]:
    kept = list(columns)
    while len(kept) > 2 and sum(column.width + 1 for column in kept) > width:
        kept.remove(max(kept, key=lambda column: column.rank))
    first = kept[0]
    room = width - sum(column.width + 1 for column in kept[1:]) - 1
    return (Column(first.title, max(4, min(32, room)), first.rank), *kept[1:])


# ---- the cells of a node ------------------------------------------------------------------------


def _name(_: View, row: NodeRow) -> Cell:
    return row.label or wording.groups(row.fingerprint, 2), "" if row.connected else "$quiet"


def _phase(view: View, row: NodeRow) -> Cell:
    sign, style = _sign(view.glyphs, row)
    percent = f" {row.fraction:.0%}" if 0 < row.fraction < 1 else ""
    return f"{sign} {row.phase}{percent}", style


def _sign(glyphs: Glyphs, row: NodeRow) -> tuple[str, str]:
    steps = glyphs.steps
    if row.phase in _WORKS:
        return steps["now"], "$phase-now"
    if row.phase in _DONE:
        return steps["done"], "$verified"
    if row.phase in _BAD:
        return steps["failed"], "$alarm"
    if row.phase == "asks":
        return glyphs.warn, "bold $unverified"
    if row.phase in {"away", "out"}:
        return steps["skipped"], "$quiet"
    return steps["waiting"], "$quiet"


def _age(view: View, row: NodeRow) -> Cell:
    """How long it has done what it does; of those who do nothing it would only flicker."""
    if row.phase not in _WORKS | _BAD | {"asked"} or not row.since:
        return "-", "$quiet"
    return wording.clock(view.there - row.since), ""


def _round_trip(_: View, row: NodeRow) -> Cell:
    if row.round_trip_s is None:
        return "-", "$quiet"
    return f"{row.round_trip_s * 1000:.0f}ms", ""


def _up(_: View, row: NodeRow) -> Cell:
    return f"{row.bytes_up / 1e6:.1f}", "" if row.bytes_up else "$quiet"


def _rounds(_: View, row: NodeRow) -> Cell:
    return f"{row.counted}/{row.chosen}", "" if row.chosen else "$quiet"


def _late(_: View, row: NodeRow) -> Cell:
    return str(row.late), "$alarm" if row.late else "$quiet"


def _rejected(_: View, row: NodeRow) -> Cell:
    return str(row.rejected), "$alarm" if row.rejected else "$quiet"


def _state(_: View, row: NodeRow) -> Cell:
    if row.phase in _OUTCOMES:
        return _OUTCOMES[row.phase], "$alarm"
    if row.state in _STATES:
        return _STATES[row.state], "$unverified" if row.state == "pending" else "$quiet"
    if row.role != "participant":
        return row.role, "$quiet"
    return ("ok", "$verified") if row.connected else ("away", "$quiet")


def _coarse(seconds: float) -> str:
    """A duration that changes seldom."""
    if seconds >= 172_800:
        return f"{seconds // 86_400:.0f} d"
    if seconds >= 7200:
        return f"{seconds // 3600:.0f} h"
    return f"{max(1, seconds // 60):.0f} min"


_NODES = (
    _Drawn(Column("node", 12, 0), _name),
    _Drawn(Column("phase", 14, 1), _phase),
    _Drawn(Column("age", 5, 3, right=True), _age),
    _Drawn(Column("rtt", 5, 6, right=True), _round_trip),
    _Drawn(Column("up MB", 6, 5, right=True), _up),
    _Drawn(Column("rounds", 7, 4, right=True), _rounds),
    _Drawn(Column("late", 4, 7, right=True), _late),
    _Drawn(Column("rej", 3, 8, right=True), _rejected),
    _Drawn(Column("state", 9, 2), _state),
)
_INVITES = (
    Column("invite", 10, 0),
    Column("state", 8, 1),
    Column("left", 5, 2, right=True),
    Column("until", 7, 3, right=True),
    Column("joins", 7, 5),
    Column("role", 11, 4),
)
