"""Events that are frozen are those of the moment, also if they are looked at later."""

import a_status
import pytest
from a_screen import drawn, running, screen_of, text_of

from fedtui.status import LogLine
from fedtui.tui.app import FedtuiApp


def happens(app: FedtuiApp, monkeypatch: pytest.MonkeyPatch, second: int) -> None:
    now = a_status.NOW + second
    monkeypatch.setattr(app.store, "_clock", lambda: now)
    app.store.log.append(LogLine(at=now, level="info", text=f"second {second}."))


async def test_frozen_elsewhere_it_shows_the_lines_of_that_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = screen_of(a_status.empty())
    async with running(app, mode="events") as pilot:
        happens(app, monkeypatch, 1)
        await drawn(app, pilot)
        assert "second 1." in text_of(app)
        await pilot.press("1")
        happens(app, monkeypatch, 2)
        app.store.freeze()
        happens(app, monkeypatch, 3)
        await pilot.press("7")
        await drawn(app, pilot)
        assert "second 2." in text_of(app)
        assert "second 3." not in text_of(app)
        await pilot.press("slash", *"second", "enter")  # another filter, the same moment
        await drawn(app, pilot)
        assert "2 of 2" in text_of(app)
        assert "second 3." not in text_of(app)
        app.store.freeze()
        await drawn(app, pilot)
        assert "second 3." in text_of(app)
