"""Events: everything that happened, by level, source and words; follows, copies, exports."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from fedtui.tui import sheets
from fedtui.tui.matching import LEVELS, SOURCES, Filter, Tail
from fedtui.tui.screens.eventdetail import EventDetail
from fedtui.tui.screens.filtered import FilteredScreen
from fedtui.tui.widgets.eventlog import EventLog
from fedtui.tui.widgets.filterbar import FilterBar
from fedtui.tui.widgets.live import Live
from fedtui.tui.widgets.logline import STYLES, sign

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.tui.exporting import Sheet
    from fedtui.tui.view import View


class Chips(Live):
    """Which levels and sources are shown, and the keys that change it."""

    filter = Filter()
    num_shown = 0
    num_all = 0

    def look(self, view: View) -> Content:
        parts: list[str | tuple[str, str]] = [" "]
        for place, level in enumerate(LEVELS):
            style = STYLES[level] if place >= self.filter.least else "strike $edge"
            parts += [(f"{sign(level, view.glyphs)} {level}", style), "  "]
        parts += [("[+ -]", "bold $accent"), f"   source {self.filter.source or 'all'} "]
        parts += [("[s]", "bold $accent"), f"   {self.num_shown} of {self.num_all} "]
        if self.filter.text:
            parts.append((f"  {self.filter.text}", "bold $unverified"))
        return Content.assemble(*parts)


class EventsScreen(FilteredScreen):
    """Screen 7."""

    MODE = "events"

    AUTO_FOCUS = "#log"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus", "least(1)", "Fewer levels", show=False),
        Binding("minus", "least(-1)", "More levels", show=False),
        Binding("s", "source", "Next source", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._tail = Tail()
        self._held: tuple[float, Filter] | None = None  # what the tail has, while frozen

    def body(self) -> ComposeResult:
        yield Chips(id="chips")
        yield FilterBar()
        yield EventLog(id="log")

    def shown(self, view: View) -> None:
        frozen_at = view.frozen_at
        held = None if frozen_at is None else (frozen_at, self.wanted)
        if held is not None and held == self._held:
            return
        self._held = held
        self.query_one(EventLog).leaves_j = view.status.plan is None  # whoever is idle joins
        log = self.face.store.log
        if frozen_at is not None:
            log = deque(line for line in log if line.at <= frozen_at)
        self._tail.set(self.wanted)
        num_new = self._tail.follow(log)
        self.query_one(EventLog).tell(self._tail.lines, view.glyphs, num_new=num_new)
        chips = self.query_one(Chips)
        chips.filter = self.wanted
        chips.num_shown, chips.num_all = len(self._tail.lines), len(log)
        chips.show(view)

    def action_least(self, by: int) -> None:
        least = min(len(LEVELS) - 1, max(0, self.wanted.least + by))
        self.search(replace(self.wanted, least=least))

    def action_source(self) -> None:
        order = ("", *SOURCES)
        after = order[(order.index(self.wanted.source) + 1) % len(order)]
        self.search(replace(self.wanted, source=after))

    async def on_event_log_opened(self, message: EventLog.Opened) -> None:
        await self.app.push_screen(EventDetail(message.line))

    def sheets(self, view: View) -> tuple[Sheet, ...]:  # noqa: ARG002  what the filter lets through
        return (sheets.events(self._tail.lines),)
