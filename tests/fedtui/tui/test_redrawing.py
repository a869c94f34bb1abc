"""Redrawing: a word about the size, even the same one, brings the whole picture again."""

import a_status
import pytest
from a_screen import drawn, running, screen_of
from textual._compositor import LayoutUpdate
from textual.events import Resize
from textual.screen import Screen


async def test_the_same_size_again_draws_all_of_the_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await drawn(app, pilot)
        whole: list[bool] = []
        real = app._display

        def display(screen: Screen[object], update: object) -> None:
            whole.append(isinstance(update, LayoutUpdate))
            real(screen, update)

        monkeypatch.setattr(app, "_display", display)
        app.post_message(Resize(app.size, app.size))
        while not any(whole):
            await pilot.pause()
