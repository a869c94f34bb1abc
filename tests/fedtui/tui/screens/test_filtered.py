"""A filter that held is there from the first moment, whoever asks before the screen is made."""

import a_status
from a_screen import running, screen_of

from fedtui.tui.lastplace import Place
from fedtui.tui.matching import Filter
from fedtui.tui.screens.rounds import RoundsScreen


async def test_a_tick_before_the_screen_is_made_loses_no_filter() -> None:
    app = screen_of(a_status.normal())
    async with running(app):
        app.place = Place(screen="rounds", filters={"rounds": Filter(text="late")})
        screen = RoundsScreen()
        assert screen.wanted == Filter(text="late")
        assert screen.here() == app.place
