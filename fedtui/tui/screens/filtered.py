"""FilteredScreen: a screen whose lines can be searched: `/` opens the bar, Escape drops it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from fedtui.tui.matching import BadFilter, Filter
from fedtui.tui.panes.empty import EmptyPane
from fedtui.tui.screens.base import BaseScreen
from fedtui.tui.widgets.filterbar import FilterBar
from fedtui.tui.widgets.table import Table

if TYPE_CHECKING:
    from fedtui.tui.lastplace import Place


class FilteredScreen(BaseScreen):
    """`wanted` is the filter that holds; subclasses have a FilterBar, and focus AUTO_FOCUS."""

    def __init__(self) -> None:
        super().__init__()
        self._wanted: Filter | None = None

    @property
    def wanted(self) -> Filter:
        """Until the screen is there, and may be asked, the one that held when it was left."""
        if self._wanted is None:
            return self.face.place.filters.get(self.MODE, Filter())
        return self._wanted

    def on_mount(self) -> None:
        self._wanted = self.wanted
        for bar in self.query(FilterBar):  # none if the app ends while its screens are made
            bar.keep(self.wanted.text)

    def here(self) -> Place:
        place = super().here()
        return structs.replace(place, filters={**place.filters, place.screen: self.wanted})

    def show_table(self, *, has_rows: bool) -> None:
        """The table, or what stands for it while it has no rows."""
        self.query_one(Table).set_class(not has_rows, "-none")
        self.query_one(EmptyPane).set_class(has_rows, "-none")

    def search(self, wanted: Filter) -> None:
        """Let this filter hold from now on."""
        self._wanted = wanted
        self.show(self.face.store.view())

    def on_filter_bar_wanted(self, message: FilterBar.Wanted) -> None:
        bar = self.query_one(FilterBar)
        try:
            self.search(replace(self.wanted, text=message.text))
        except BadFilter as bad:
            bar.add_class("-bad")
            if message.is_done:
                self.face.say(str(bad), severity="warning")
        else:
            bar.remove_class("-bad")
        if message.is_done and isinstance(self.AUTO_FOCUS, str):
            self.query_one(self.AUTO_FOCUS).focus()
