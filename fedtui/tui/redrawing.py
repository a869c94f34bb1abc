"""Redrawing: the picture is whole again after every word of the terminal about its size.

A window that is made small and large again has lost what it cut off. If the program hears of both
at once, the size is as before, and Textual draws nothing.
"""

from __future__ import annotations

from contextlib import suppress

from textual.app import App, ScreenStackError


class RedrawnWhole(App[None]):
    """An app that draws all of the screen on top again, also when its size is the same."""

    def on_resize(self) -> None:
        with suppress(ScreenStackError):  # at the start there is none
            self.screen.refresh()
