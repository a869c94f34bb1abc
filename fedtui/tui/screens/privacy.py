"""Privacy: who can learn what, what leaves, and what the operator agreed to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical

from fedtui.tui import sheets
from fedtui.tui.panes.privacy import CardPane, LeavesPane, PrivacyPane, ReceiptPane
from fedtui.tui.screens.base import BaseScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from fedtui.tui.exporting import Sheet
    from fedtui.tui.view import View


class PrivacyScreen(BaseScreen):
    """Screen 5."""

    MODE = "privacy"

    def body(self) -> ComposeResult:
        small = PrivacyPane(id="privacy-small")
        small.add_class("only-tiny")
        yield small
        with Horizontal(classes="halves not-tiny"):
            yield CardPane(id="card")
            with Vertical(id="agreed"):
                yield ReceiptPane(id="receipt")
                yield LeavesPane(id="leaves")

    def sheets(self, view: View) -> tuple[Sheet, ...]:
        return (sheets.privacy(view.status), sheets.leaves(view.status))
