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


class _Written(msgspec.Struct, frozen=True, kw_only=True):
    """A Place whose filters are looked at one by one."""

    screen: str = "overview"
    zoomed: str = ""
    filters: dict[str, msgspec.Raw] = {}


def read(text: str) -> Place:
    """The place that a file tells; the usual one if it tells none, less filters that are none."""
    try:
        found = msgspec.json.decode(text, type=_Written)
    except (msgspec.DecodeError, RecursionError):
        return Place()
    if not _ID.fullmatch(found.zoomed):
        return Place()
    read_filters = ((name, _filter(raw)) for name, raw in found.filters.items())
    filters = {name: one for name, one in read_filters if one is not None}
    return Place(screen=found.screen, zoomed=found.zoomed, filters=filters)


def _filter(raw: msgspec.Raw) -> Filter | None:
    """The filter; None if this is none, which takes nothing from the others."""
    try:
        one = msgspec.json.decode(raw, type=Filter)
    except (msgspec.DecodeError, BadFilter, RecursionError):
        return None
    in_bounds = 0 <= one.least < len(LEVELS) and len(one.text) <= MAX_TEXT
    if not in_bounds or one.source not in {"", *SOURCES} or not one.text.isprintable():
        return None
    return one


def write(place: Place) -> str:
    """The text of `screen.last`."""
    return msgspec.json.encode(place).decode() + "\n"
