"""Throttle: by keys, at once, with what it means for the round."""

import a_status
from a_screen import done, running, screen_of, text_of
from textual.widgets import Input

from fedtui.status import Limits
from fedtui.tui.modals.throttle import Throttle


async def test_arrows_choose_and_enter_applies() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await pilot.press("t")
        await pilot.pause()
        await pilot.press("left", "left", "left", "left", "tab")
        await pilot.pause()
        assert "misses the deadline at 10 %" in text_of(app)
        await pilot.press("enter")
        await done(app)
        await pilot.pause()
        assert app.store.live.status.limits == Limits(cpu_percent=10, max_upload_mb_per_day=500)


async def test_what_cannot_be_is_said_and_nothing_changes() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await pilot.press("t")
        await pilot.pause()
        app.screen.query_one("#hours", Input).value = "always"
        app.screen.query_one("#apply").focus()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Throttle)
        assert "hours: as in 20:00-07:00" in text_of(app)
        await pilot.press("escape")
        await done(app)
        assert app.store.live.status.limits == a_status.normal().limits


async def test_a_share_from_the_palette_keeps_the_other_limits() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        app.give("throttle.25")
        await done(app)
        await pilot.pause()
        assert app.store.live.status.limits == Limits(cpu_percent=25, max_upload_mb_per_day=500)
