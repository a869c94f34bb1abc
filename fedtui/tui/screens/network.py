"""Network: rates, the link, the budget, and what each round moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal

from fedtui.tui import sheets
from fedtui.tui.panes.network import LinkPane, NetworkPane, PerRoundPane, RatesPane
from fedtui.tui.screens.base import BaseScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.tui.exporting import Sheet
    from fedtui.tui.view import View


class NetworkScreen(BaseScreen):
    """Screen 4."""

    MODE = "network"

    def body(self) -> ComposeResult:
        small = NetworkPane(id="network-small")
        small.add_class("only-tiny")
        yield small
        yield RatesPane(id="rates")
        with Horizontal(classes="halves not-tiny"):
            yield LinkPane(id="link")
            yield PerRoundPane(id="per-round")

    def sheets(self, view: View) -> tuple[Sheet, ...]:
        return (sheets.rates(view.status), sheets.rounds(view.status.rounds))
