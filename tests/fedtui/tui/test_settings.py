"""screen.toml: what is written can be read, and what is wrong in it is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.tui.commands import COMMANDS, SCREENS
from fedtui.tui.settings import THEME_NAMES, Settings, SettingsError, read, write

SOME = st.builds(
    Settings,
    theme=st.sampled_from(THEME_NAMES),
    glyphs=st.sampled_from(["auto", "braille", "block", "ascii"]),
    hz=st.sampled_from([0.5, 1.0, 2.0, 4.0]),
    log_scale=st.booleans(),
    mouse=st.booleans(),
    bell=st.booleans(),
    detach_asks=st.booleans(),
    screen=st.sampled_from(SCREENS),
    keys=st.sampled_from([{}, {"pause": "P"}, {"ledger": "f9", "leave": "W"}]),
)


@given(SOME)
def test_what_is_written_is_read_again(settings: Settings) -> None:
    assert read(write(settings)) == settings


def test_an_empty_file_means_the_defaults() -> None:
    assert read("") == Settings()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("theme = ", "not TOML"),
        ('theme = "pink"', "no theme 'pink'"),
        ('screen = "moon"', "no screen 'moon'"),
        ("hz = 60.0", "hz"),
        ('colour = "red"', "colour"),
        ('[keys]\nfly = "f"', "no command 'fly'"),
        ('[keys]\npause = "ctrl+s"', "never reaches"),
        ('[keys]\npause = "x"', "already ledger"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read(text)


def test_every_line_of_the_file_says_what_it_is_for() -> None:
    lines = write(Settings()).splitlines()
    assert all("#" in line for line in lines if "=" in line)
    assert {one.id for one in COMMANDS} >= {"pause", "ledger", "leave"}
