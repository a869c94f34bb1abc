"""Switching: screens are made once, ahead, and the first picture of each is whole and new."""

import a_status
import pytest
from a_screen import done, drawn, running, screen_of, text_of
from msgspec.structs import replace
from textual.css.stylesheet import Stylesheet
from textual.screen import Screen

from fedtui.tui.app import FedtuiApp
from fedtui.tui.commands import SCREENS
from fedtui.tui.screens.base import BaseScreen
from fedtui.tui.widgets.rows import Rows


async def made(app: FedtuiApp) -> None:
    """All of its screens are there, as after a moment without keys."""
    while len(app._screen_stacks) < len(SCREENS):
        app.make_ahead()
    for stack in app._screen_stacks.values():
        await app._get_screen(stack[0])[1]


async def test_screens_are_made_ahead_when_the_first_picture_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fedtui.tui.switching.AHEAD_S", 0.001)
    monkeypatch.setattr("fedtui.tui.switching.BETWEEN_S", 0.001)
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        while set(app._screen_stacks) != set(SCREENS):
            await pilot.pause()
        assert app.current_mode == "overview"
        assert [len(stack) for stack in app._screen_stacks.values()] == [1] * len(SCREENS)


async def test_no_screen_is_made_while_a_key_is_on_its_way() -> None:
    app = screen_of(a_status.normal())
    async with running(app):
        app._on_its_way = 7
        app.make_ahead()
        assert set(app._screen_stacks) == {"overview"}
        app._on_its_way = 0
        app.make_ahead()
        assert len(app._screen_stacks) == 2


async def test_no_screen_is_made_while_the_app_closes_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = screen_of(a_status.normal())
    real = app._prune

    async def prune(*nodes: Screen[object]) -> None:
        app.make_ahead()  # its time came
        await real(*nodes)

    async with running(app):
        monkeypatch.setattr(app, "_prune", prune)


async def test_a_switch_composes_nothing_and_reads_and_applies_no_style_sheet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await made(app)
        for number in range(1, len(SCREENS) + 1):  # what is shown first is laid out first
            await pilot.press(str(number))
        did: list[str] = []
        for owner, name in (
            (BaseScreen, "compose"),
            (Stylesheet, "reparse"),
            (Stylesheet, "parse"),
            (Screen, "update_node_styles"),
        ):
            real = getattr(owner, name)
            monkeypatch.setattr(
                owner, name, lambda *a, _of=name, _as=real, **k: (did.append(_of), _as(*a, **k))[1]
            )
        for number, mode in enumerate(SCREENS, start=1):
            await pilot.press(str(number))
            assert app.current_mode == mode
        assert did == []


@pytest.mark.parametrize("mode", [one for one in SCREENS if one != "overview"])
async def test_the_first_picture_after_a_switch_is_the_whole_new_screen(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await made(app)
        status = app.store.live.status
        app.store.heard(replace(status, label="renamed", log=()))  # while the others are hidden
        pictures: list[str] = []
        real = app._display

        def display(screen: Screen[object], update: object) -> None:
            if update is not None and not app._batch_count and app.current_mode == mode:
                pictures.append(text_of(app))
            real(screen, update)

        monkeypatch.setattr(app, "_display", display)
        app.give(f"scr.{SCREENS.index(mode) + 1}")
        while not pictures:
            await pilot.pause()
        await drawn(app, pilot)
        assert pictures[0] == text_of(app)
        assert "renamed" in pictures[0]


async def test_the_lines_of_a_screen_that_was_made_ahead_are_drawn_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await made(app)
        screen = app._screen_stacks["training"][0]
        while not screen.size:
            await pilot.pause()
        await pilot.pause()
        app._draw(screen)  # as a moment after it was made
        drew: list[int] = []
        real = Rows.render_line
        monkeypatch.setattr(
            Rows, "render_line", lambda self, y: (drew.append(y), real(self, y))[1]
        )
        await pilot.press("2")
        await pilot.pause()
        assert app.current_mode == "training"
        assert drew == []


async def test_others_may_delay_drawing_also_after_a_switch() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await made(app)
        await pilot.press("2")
        await drawn(app, pilot)
        assert app._batch_count == 0
        app.delay_update()  # as the palette does when it closes
        assert app._batch_count == 1


async def test_a_theme_that_was_changed_elsewhere_is_there_after_the_switch() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await made(app)
        await pilot.press("2", "1")
        app.give("theme.light")
        await done(app)
        await pilot.press("2")
        await drawn(app, pilot)
        line = app.screen.query_one("#line-status")
        assert line.styles.background.hex.lower() == app.current_theme.panel
