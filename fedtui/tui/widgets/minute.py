"""Minute: what is left of the screen where there is room for nearly nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from fedtui.tui.lines import STATE_WORDS
from fedtui.tui.widgets.live import Live

if TYPE_CHECKING:
    from fedtui.tui.view import View


class Minute(Live):
    """State, round and the two keys that matter."""

    def look(self, view: View) -> Content:
        status = view.status
        word = "OFFLINE" if status.offline_since else STATE_WORDS[status.state]
        number = f" {status.round.number}" if status.round.number else ""
        spent = f" {status.budget.epsilon:.2g}" if status.budget else ""
        epsilon = f"ε{spent}" if spent or status.privacy.noise else "ε off"
        return Content(f"{word.lower()}{number} {epsilon}\nkeys: ? q")
