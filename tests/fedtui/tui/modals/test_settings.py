"""The settings form: applied and kept at once; keys that clash are not taken."""

import a_status
import pytest
from a_screen import done, drawn, running, screen_of, text_of
from textual.widgets import OptionList

from fedtui.tui.app import FedtuiApp
from fedtui.tui.commands import SCREENS
from fedtui.tui.modals.fields import Pick
from fedtui.tui.modals.settings import REMAPPABLE, KeyPick, SettingsForm
from fedtui.tui.settings import Settings


async def opened(app: FedtuiApp, pilot) -> SettingsForm:  # type: ignore[no-untyped-def]
    await pilot.press("comma")
    await drawn(app, pilot)
    assert isinstance(app.screen, SettingsForm)
    return app.screen


def place_of(command_id: str) -> int:
    return [one.id for one in REMAPPABLE].index(command_id)


async def test_arrows_choose_and_s_keeps() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await opened(app, pilot)
        await pilot.press("right", "tab", "right", "right", "tab", "right", "s")
        await done(app)
        assert app.settings == Settings(theme="fedtui-light", glyphs="block", hz=4.0)
        assert app.theme == "fedtui-light"


async def test_the_screen_to_begin_with_is_chosen_and_another_can_be_where_one_was() -> None:
    app = screen_of(a_status.normal(), Settings(screen="privacy"))
    async with running(app) as pilot:
        form = await opened(app, pilot)
        form.query_one("#screen", Pick).focus()
        await pilot.press(*["left"] * len(SCREENS), "s")
        await done(app)
        assert app.settings == Settings(screen="last")


@pytest.mark.parametrize("width", [40, 60, 100])
async def test_the_chosen_screen_is_seen_however_narrow(width: int) -> None:
    app = screen_of(a_status.normal())
    async with running(app, size=(width, 18)) as pilot:
        form = await opened(app, pilot)
        form.query_one("#screen", Pick).focus()
        for name in SCREENS:
            await pilot.press("right")
            await drawn(app, pilot)
            assert f"[{name}]" in text_of(app)


async def test_escape_changes_nothing() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await opened(app, pilot)
        await pilot.press("right", "escape")
        await done(app)
        assert app.settings == Settings()


async def pick(app: FedtuiApp, pilot, command_id: str, key: str) -> None:  # type: ignore[no-untyped-def]
    keys = app.screen.query_one("#keys", OptionList)
    keys.focus()
    keys.highlighted = place_of(command_id)
    await pilot.press("enter")
    await pilot.pause()
    assert isinstance(app.screen, KeyPick)
    await pilot.press(key)
    await drawn(app, pilot)


async def test_a_key_is_changed_and_works_afterwards() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        form = await opened(app, pilot)
        await pick(app, pilot, "pause", "w")
        await pick(app, pilot, "resume", "w")
        assert form.read().keys == {"pause": "w", "resume": "w"}
        await pilot.press("s")
        await done(app)
        await pilot.press("w")
        await done(app)
        await pilot.pause()
        assert app.store.live.status.state == "paused"


async def test_a_key_that_is_taken_or_eaten_is_refused_with_the_reason() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        form = await opened(app, pilot)
        await pick(app, pilot, "pause", "x")
        assert "x is already ledger" in text_of(app)
        await pick(app, pilot, "pause", "ctrl+b")
        assert "never reaches a program" in text_of(app)
        await pick(app, pilot, "pause", "escape")
        assert form.read().keys == {}


async def test_backspace_gives_back_the_tables_own_key() -> None:
    app = screen_of(a_status.normal(), Settings(keys={"settings": "S"}))
    async with running(app) as pilot:
        await pilot.press("S")
        await drawn(app, pilot)
        form = app.screen
        assert isinstance(form, SettingsForm)
        await pick(app, pilot, "settings", "backspace")
        assert form.read().keys == {}
