"""Where the operator was is kept as it changes, and is where the next screen begins."""

import a_status
import pytest
from a_screen import done, drawn, running, screen_of, text_of
from hypothesis import given
from hypothesis import strategies as st

from fedtui.tui.app import FedtuiApp
from fedtui.tui.commands import SCREENS
from fedtui.tui.lastplace import MAX_TEXT, Place, read, write
from fedtui.tui.matching import SOURCES, Filter
from fedtui.tui.outside import Outside
from fedtui.tui.screens.modes import SCREENS as MODES
from fedtui.tui.screens.rounds import RoundsScreen
from fedtui.tui.settings import Settings
from fedtui.tui.widgets.table import Table

WORDS = st.text(st.characters(categories=("L", "N")), max_size=MAX_TEXT)
FILTERS = st.builds(
    Filter, text=WORDS, least=st.integers(0, 3), source=st.sampled_from(["", *SOURCES])
)
PLACES = st.builds(
    Place,
    screen=st.sampled_from(SCREENS),
    zoomed=st.sampled_from(["", "training", "line-status"]),
    filters=st.dictionaries(st.sampled_from(SCREENS), FILTERS),
)


@given(PLACES)
def test_what_is_written_is_read_again(place: Place) -> None:
    assert read(write(place)) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"screen": 3}',
        '{"zoomed": "Screen *"}',
        '{"filters": 3}',
        "[" * 100_000,
    ],
    ids=range(6),
)
def test_what_cannot_be_a_place_is_the_usual_one(text: str) -> None:
    assert read(text) == Place()


@pytest.mark.parametrize(
    "odd",
    [
        '{"text": "/[a"}',
        '{"text": "/a{99999999999}/"}',
        '{"least": 9}',
        '{"source": "moon"}',
        '{"text": "\\u001b[2J"}',
        "7",
    ],
)
def test_a_filter_that_is_none_takes_nothing_else_with_it(odd: str) -> None:
    text = f'{{"screen": "events", "filters": {{"events": {odd}, "rounds": {{"text": "late"}}}}}}'
    assert read(text) == Place(screen="events", filters={"rounds": Filter(text="late")})


def opened(place: Place, kept: list[Place], settings: Settings | None = None) -> FedtuiApp:
    app = screen_of(a_status.normal(), settings)
    outside = Outside(keep=kept.append, place=place)
    return FedtuiApp(app.controls, clock=lambda: a_status.NOW, settings=settings, outside=outside)


async def test_the_filter_and_the_screen_are_there_again() -> None:
    kept: list[Place] = []
    app = opened(Place(), kept)
    async with running(app) as pilot:
        await pilot.press("3", "slash", *"late", "enter")
        await drawn(app, pilot)
        app.refresh_view()
    assert kept[-1] == Place(screen="rounds", filters={"rounds": Filter(text="late")})
    assert len(kept) < 10, "kept when it changed, not at each tick"

    app = opened(kept[-1], kept)
    async with app.run_test(size=(120, 36)) as pilot:
        await drawn(app, pilot)
        assert isinstance(app.screen, RoundsScreen)
        assert app.screen.query_one(Table).row_count == 1
        assert "Rounds so far: 1 of 11" in text_of(app)
        assert "late" in app.screen.query_one("#filter").value
        await pilot.press("slash", "escape")
        await drawn(app, pilot)
        assert app.screen.query_one(Table).row_count == 11


async def test_what_was_zoomed_is_zoomed_again() -> None:
    kept: list[Place] = []
    app = opened(Place(), kept)
    async with running(app) as pilot:
        app.screen.query_one("#training").focus()
        await pilot.press("z")
        await done(app)
        await drawn(app, pilot)
    assert kept[-1] == Place(zoomed="training")

    app = opened(kept[-1], kept)
    async with app.run_test(size=(120, 36)) as pilot:
        await drawn(app, pilot)
        assert "4 Network" not in text_of(app)
        await pilot.press("z")
        await done(app)
        await drawn(app, pilot)
        assert "4 Network" in text_of(app)
    assert kept[-1] == Place()


async def test_the_operators_own_first_screen_goes_before_it() -> None:
    app = opened(Place(screen="rounds"), [], Settings(screen="privacy"))
    async with app.run_test(size=(120, 36)) as pilot:
        await drawn(app, pilot)
        assert app.current_mode == "privacy"


def test_every_screen_knows_its_name() -> None:
    assert {name: screen.MODE for name, screen in MODES.items()} == {
        name: name for name in SCREENS
    }
