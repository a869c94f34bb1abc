"""Federation: the model and this node's part in it, and who else is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal

from fedtui.tui import sheets
from fedtui.tui.panes.empty import EmptyPane
from fedtui.tui.panes.federation import FederationPane, PartPane, ScoresPane
from fedtui.tui.screens.filtered import FilteredScreen
from fedtui.tui.widgets.filterbar import FilterBar
from fedtui.tui.widgets.table import Row, Table
from fedtui.tui.wording import groups

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.status import Peer
    from fedtui.tui.exporting import Sheet
    from fedtui.tui.glyphs import Glyphs
    from fedtui.tui.view import View

NAMES = ("node", "state", "since")


def rows(roster: tuple[Peer, ...], glyphs: Glyphs) -> list[Row]:
    """As far as the protocol tells: a fingerprint, and whether it dropped out."""
    return [
        (
            f"{place}.{peer.fingerprint[:64]}",
            (
                (groups(peer.fingerprint[:80]), "mine" if peer.is_me else ""),
                state(peer, glyphs),
                ("new in this round" if peer.is_new else "", "quiet"),
            ),
        )
        for place, peer in enumerate(roster)
    ]


def state(peer: Peer, glyphs: Glyphs) -> tuple[str, str]:
    if peer.lost:
        return f"{glyphs.error} dropped out", "alarm"
    if peer.is_me:
        return f"{glyphs.live} this node", "mine"
    return f"{glyphs.live} here", "verified"


class FederationScreen(FilteredScreen):
    """Screen 6."""

    MODE = "federation"

    AUTO_FOCUS = "#roster"

    def body(self) -> ComposeResult:
        small = FederationPane(id="federation-small")
        small.add_class("only-tiny")
        yield small
        with Horizontal(classes="halves not-tiny"):
            yield ScoresPane(id="scores")
            yield PartPane(id="part")
        yield FilterBar()
        yield Table("Nodes of the last round", NAMES, id="roster")
        yield EmptyPane("Nodes of the last round", "No roster seen yet: masked rounds tell one.")

    def shown(self, view: View) -> None:
        peers = tuple(
            one for one in view.status.roster if self.wanted.finds(groups(one.fingerprint, 8))
        )
        table = self.query_one(Table)
        table.leaves_j = view.status.plan is None  # whoever is idle joins
        table.fill(rows(peers, view.glyphs))
        self.show_table(has_rows=bool(view.status.roster))
        lost = sum(one.lost for one in view.status.roster)
        title = f"Nodes of the last round: {len(peers)}{f', {lost} dropped out' if lost else ''}"
        if table.border_title != title:
            table.border_title = title

    def sheets(self, view: View) -> tuple[Sheet, ...]:
        return (sheets.scores(view.status), sheets.roster(view.status))
