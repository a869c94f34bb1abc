"""Rounds: the seven phases of the one under way, and those that are over; Enter opens one."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from textual import work

from fedtui.status import Refused
from fedtui.tui import sheets, wording
from fedtui.tui.glyphs import SETS
from fedtui.tui.matching import Filter
from fedtui.tui.panes.empty import EmptyPane
from fedtui.tui.panes.round import RoundPane
from fedtui.tui.screens.filtered import FilteredScreen
from fedtui.tui.washing import washed
from fedtui.tui.widgets.filterbar import FilterBar
from fedtui.tui.widgets.table import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.app import ComposeResult
    from textual.events import ScreenResume

    from fedtui.status import NodeStatus, PastRound
    from fedtui.tui.exporting import Sheet
    from fedtui.tui.glyphs import Glyphs
    from fedtui.tui.view import View

NAMES = (
    "round",
    "outcome",
    "score",
    "delta",
    "cohort",
    "drops",
    "up",
    "down",
    "took",
    "ended",
    "why",
)
MAX_HISTORY = 1000
STYLES = {
    "counted": "verified",
    "late": "unverified",
    "sat out": "quiet",
    "refused": "alarm",
    "failed": "alarm",
}


def merged(history: Iterable[PastRound], recent: Iterable[PastRound]) -> list[PastRound]:
    """All rounds that are over, newest first; what the status says wins over the history."""
    known = {(one.number, one.attempt): one for one in (*history, *recent)}
    return sorted(known.values(), key=lambda one: (one.number, one.attempt), reverse=True)


def rows(past: list[PastRound], glyphs: Glyphs) -> list[Row]:
    """One row for each; the score of the round before makes the delta."""
    scores = {one.number: one.score for one in past if one.score is not None}
    return [_row(one, scores.get(one.number - 1), glyphs.name) for one in past]


@lru_cache(maxsize=2 * MAX_HISTORY)  # rounds that are over are what they were
def _row(one: PastRound, before: float | None, signs: str) -> Row:
    return _key(one), _cells(one, before, SETS[signs])


def _cells(one: PastRound, before: float | None, glyphs: Glyphs) -> tuple[tuple[str, str], ...]:
    signs = {"counted": glyphs.ok, "late": glyphs.warn, "sat out": glyphs.steps["skipped"]}
    delta = f"{one.score - before:+.3f}" if one.score is not None and before is not None else ""
    number = f"{one.number}{f'.{one.attempt}' if one.attempt > 1 else ''}"
    return (
        (f"{number:>5}", ""),
        (f"{signs.get(one.outcome, glyphs.error)} {one.outcome}", STYLES[one.outcome]),
        (wording.number(one.score), "global"),
        (delta, "quiet"),
        ("" if one.cohort is None else str(one.cohort), ""),
        (str(one.dropped) if one.dropped else "", "unverified"),
        (wording.size(one.bytes_up) if one.bytes_up else "-", ""),
        (wording.size(one.bytes_down) if one.bytes_down else "-", ""),
        (wording.span(one.seconds) if one.seconds else "", ""),
        (wording.moment(one.ended_at) if one.ended_at else "", "quiet"),
        (wording.cut(one.reason, 60), "quiet"),
    )


def _key(one: PastRound) -> str:
    return f"{one.number}.{one.attempt}"


def _once(one: PastRound) -> tuple[int, int, float]:
    """The same for no two rounds of whatever federation."""
    return one.number, one.attempt, one.ended_at


def restarted(before: Sequence[PastRound], now: Sequence[PastRound]) -> bool:
    """Whether these rounds of a status are of another run than those of the one before."""
    if not before or not now:
        return bool(before)
    return max(one.number for one in now) < max(one.number for one in before)


def _is_hole(before: Sequence[PastRound], now: Sequence[PastRound]) -> bool:
    """Whether rounds may have passed between these, as while other screens were shown."""
    if now is before or not before or not now:
        return False
    return {_once(one) for one in before}.isdisjoint(_once(one) for one in now)


class RoundsScreen(FilteredScreen):
    """Screen 3."""

    MODE = "rounds"

    AUTO_FOCUS = "#past"

    def __init__(self) -> None:
        super().__init__()
        self._history: tuple[PastRound, ...] = ()
        self._is_whole = False  # the history was read, and no round was missed since
        self._before: tuple[PastRound, ...] = ()  # of the run before this one
        self._others: set[tuple[int, int, float]] = set()  # of all runs before
        self._recent: tuple[PastRound, ...] = ()
        self._federation = ""
        self._shown: list[PastRound] = []

    def body(self) -> ComposeResult:
        yield RoundPane(id="round")
        yield FilterBar()
        yield Table("Rounds so far", NAMES, id="past")
        yield EmptyPane("Rounds so far", "No round is over yet.")

    def on_screen_resume(self, event: ScreenResume) -> None:  # noqa: ARG002  the base uses it
        """Read what was refused before; a thousand rounds take too long to read them each time."""
        if not self._is_whole and self.face.store.view().frozen_at is None:
            self.read_history()

    @work(exclusive=True, group="history")
    async def read_history(self) -> None:
        """Also of earlier lives of the node; the status has the newest only."""
        with suppress(Refused):
            read = washed(await self.face.controls.history(MAX_HISTORY))
            self._is_whole = True
            mine = [one for one in read if _once(one) not in self._others]
            self._history = tuple(merged(self._history, mine)[:MAX_HISTORY])
            self.show(self.face.store.view())

    def _past(self, status: NodeStatus) -> list[PastRound]:
        """All rounds of this run; kept, for the status soon drops them."""
        if status.plan is None:
            return merged((), status.rounds)
        if _is_hole(self._recent, status.rounds):
            self._is_whole = False
        moved = self._federation not in {"", status.plan.federation}
        if moved or restarted(self._recent, status.rounds):
            self._before, self._history = tuple(merged(self._history, self._recent)), ()
            self._others |= {_once(one) for one in self._before}
        elif self._before and any(_once(one) in self._others for one in status.rounds):
            self._history = tuple(merged(self._before, self._history))  # a node that began anew
            self._others -= {_once(one) for one in self._before}
            self._before = ()
        self._federation, self._recent = status.plan.federation, status.rounds
        past = merged(self._history, status.rounds)
        self._history = tuple(past[:MAX_HISTORY])
        return past

    def shown(self, view: View) -> None:
        was_whole, past = self._is_whole, self._past(view.status)
        if was_whole and not self._is_whole and view.frozen_at is None:
            self.read_history()
        self._shown = [one for one in past if self.wanted.finds(f"{one.number} {_words(one)}")]
        table = self.query_one(Table)
        table.leaves_j = view.status.plan is None  # whoever is idle joins
        table.fill(rows(self._shown, view.glyphs))
        self.show_table(has_rows=bool(past))
        count = f"{len(self._shown)} of {len(past)}" if self.wanted != Filter() else f"{len(past)}"
        title = f"Rounds so far: {count}"
        if table.border_title != title:
            table.border_title = title

    async def on_table_opened(self, event: Table.Opened) -> None:
        from fedtui.tui.modals.rounddetail import RoundDetail  # noqa: PLC0415  only when asked

        for one in self._shown:
            if _key(one) == event.key:
                await self.app.push_screen(RoundDetail(one))

    def sheets(self, view: View) -> tuple[Sheet, ...]:  # noqa: ARG002  what the filter lets through
        return (sheets.rounds(self._shown),)


def _words(one: PastRound) -> str:
    return f"{one.outcome} {one.reason}"
