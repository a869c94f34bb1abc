"""Switching: from one screen to another at once, drawn whole, and nothing made anew.

Textual holds drawing for 50 ms after each change of mode, lest a screen be seen while it is made,
and makes a screen when it is first shown, for which it reads all style sheets again. Here screens
are made ahead, one by one, while nobody presses keys, and drawn as soon as they are up to date.
"""

from __future__ import annotations

import gc
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.events import ScreenResume

from fedtui.tui.typeahead import KeysInOrder

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.widget import AwaitMount

AHEAD_S = 1.0  # after the first picture
BETWEEN_S = 0.1  # one screen and the next: room for keys
SELDOM = (20_000, 20, 20)  # drawing makes thousands of things that end with it


class Switching(KeysInOrder):
    """An app whose modes are there before they are asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._is_made = False  # the screen that is being switched to

    def on_ready(self) -> None:
        self._is_styled(self.screen)  # at the start Textual does so without a note of it
        self.set_timer(AHEAD_S, self.make_ahead)

    def make_ahead(self) -> None:
        """Make the next of the screens that were not shown yet; go on until all are made."""
        if self._exit or not self.is_running:  # closing goes through the screens that there are
            return
        missing = [mode for mode in self._modes if mode not in self._screen_stacks]
        if missing and not self._on_its_way:
            self._make(missing[0])
        if missing:
            self.set_timer(BETWEEN_S, self.make_ahead)
        else:
            gc.freeze()  # to look through what stays took 50 ms at a time
            gc.set_threshold(*SELDOM)

    def _make(self, mode: str) -> None:
        """As Textual begins a mode, but on its own, without styling what is on the screen."""
        made: Any = self._modes[mode]
        screen, _ = self._get_screen(made())
        self._is_styled(screen)
        self._screen_stacks[mode] = [screen]
        screen.post_message(ScreenResume())
        self.set_timer(BETWEEN_S / 2, partial(self._draw, screen))

    def _draw(self, screen: Screen[Any]) -> None:
        """All of its first picture but the writing: lines stay, and its clock has begun."""
        screen._compositor.render_strips()  # noqa: SLF001  as App.export_screenshot does
        screen._update_timer.resume()  # noqa: SLF001  the first tick of a timer comes late

    def _is_styled(self, screen: Screen[Any]) -> None:
        screen._css_update_count = self._css_update_count  # noqa: SLF001  as App.refresh_css does

    def switch_mode(self, mode: str) -> AwaitMount:
        """Show this mode; its screen is brought up to date before anything of it is drawn."""
        stack = self._screen_stacks.get(mode)
        is_made = bool(stack and stack[-1].is_mounted)
        if mode == self.current_mode or not is_made:
            return super().switch_mode(mode)
        hold = ExitStack()
        hold.enter_context(self.batch_update())
        self._is_made = True
        switched = super().switch_mode(mode)
        self._is_made = False  # others ask to wait for what they change
        if not self.screen.call_later(hold.close):  # behind its ScreenResume
            hold.close()
        return switched

    def delay_update(self, delay: float = 0.05) -> None:
        """Textual asks for it on each change of mode; a screen that is made does not need it."""
        if not self._is_made:
            super().delay_update(delay)
