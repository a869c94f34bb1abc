"""Where the operator was: the screen, what is zoomed on it, and filters; `screen.last`. Pure.

Kept when it changes and not at the end, because a connection that breaks ends the screen without
asking. Not part of screen.toml: that file is the operator's, this one the program's.
"""

from __future__ import annotations

import re

import msgspec

from fedtui.tui.matching import LEVELS, SOURCES, BadFilter, Filter

MAX_TEXT = 200
_ID = re.compile(r"([a-z][a-z-]{0,40})?")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """`zoomed` is the id of the pane that is shown alone on `screen`, or "".

    `filters` has those of screens with lines to search, by the screen's name.
    """

    screen: str = "overview"
    zoomed: str = ""
    filters: dict[str, Filter] = {}


def read(text: str) -> Place:
    """The place that a file tells; the usual one if it tells none: nothing depends on it."""
    try:
        found = msgspec.json.decode(text, type=Place)
    except (msgspec.DecodeError, BadFilter, RecursionError):
        return Place()
    if not _ID.fullmatch(found.zoomed):
        return Place()
    for one in found.filters.values():
        in_bounds = 0 <= one.least < len(LEVELS) and len(one.text) <= MAX_TEXT
        if not in_bounds or one.source not in {"", *SOURCES} or not one.text.isprintable():
            return Place()
    return found


def write(place: Place) -> str:
    """The text of `screen.last`."""
    return msgspec.json.encode(place).decode() + "\n"
