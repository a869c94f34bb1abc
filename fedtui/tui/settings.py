"""How one operator wants the screen: theme, signs, refresh, keys; and screen.toml, which holds it.

Pure: whoever starts the screen reads the file and gives a function that saves it.
"""

from __future__ import annotations

import tomllib
from typing import Annotated, Literal

import msgspec

from fedtui.tui import keymap
from fedtui.tui.commands import SCREENS
from fedtui.tui.themes import THEMES

THEME_NAMES = tuple(one.name for one in THEMES)
LAST = "last"
GlyphName = Literal["auto", "braille", "block", "ascii"]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of screen.toml. `hz` is how often the screen repaints at most, a second.

    `keys` maps ids of commands to keys; `screen` is the one to begin with.
    """

    theme: str = "fedtui-dark"
    glyphs: GlyphName = "auto"
    hz: Annotated[float, msgspec.Meta(ge=0.5, le=4)] = 2.0
    log_scale: bool = False
    mouse: bool = True
    bell: bool = False
    detach_asks: bool = True
    screen: str = LAST
    keys: dict[str, str] = {}


class SettingsError(Exception):
    """What is wrong with screen.toml, as one sentence."""


_TEXT = """\
# How the screen looks. Also changed from within: press ','

theme = {theme}          # {themes}
glyphs = {glyphs}                 # auto, braille, block or ascii
hz = {hz}                        # repaints at most so often a second, 0.5 to 4
log_scale = {log_scale}               # of the loss chart
mouse = {mouse}                    # false: the terminal selects text
bell = {bell}                    # ring the terminal's bell with an alarm
detach_asks = {detach_asks}              # say that the node keeps working, the first time
screen = {screen}                 # the one to begin with; "last" is where you were

[keys]                          # command = key, as in: pause = "P"
{keys}"""


def read(text: str) -> Settings:
    """Settings from the text of screen.toml. Raises SettingsError with what to mend."""
    try:
        found = msgspec.convert(tomllib.loads(text), Settings)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"it is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise SettingsError(str(error)) from error
    if found.theme not in THEME_NAMES:
        raise SettingsError(f"there is no theme {found.theme!r}: {', '.join(THEME_NAMES)}")
    if found.screen not in {LAST, *SCREENS}:
        raise SettingsError(f"there is no screen {found.screen!r}: {LAST}, {', '.join(SCREENS)}")
    if wrong := keymap.problems(found.keys):
        raise SettingsError("; ".join(wrong))
    return found


def write(settings: Settings) -> str:
    """The text of screen.toml, with what each line means."""
    values = msgspec.structs.asdict(settings)
    keys = values.pop("keys")
    words = {name: _toml(value) for name, value in values.items()}
    lines = "".join(f"{_toml(name)} = {_toml(key)}\n" for name, key in sorted(keys.items()))
    return _TEXT.format(**words, themes=", ".join(THEME_NAMES), keys=lines)


def _toml(value: object) -> str:
    return msgspec.json.encode(value).decode()
