"""Keys: the bindings that the table of commands makes, and the operator's own. Pure.

Keys that a terminal multiplexer or a terminal eats are never bound, also not by the operator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding

from fedtui.tui.commands import BY_ID, COMMANDS

if TYPE_CHECKING:
    from collections.abc import Mapping

EATEN = frozenset(f"ctrl+{letter}" for letter in "absqjmhi") | {"ctrl+enter"}
_SHOWN = {
    "question_mark": "?",
    "slash": "/",
    "comma": ",",
    "colon": ":",
    "ctrl+p": "^p",
    "ctrl+z": "^z",
    "escape": "Esc",
    "f1": "F1",
}


def shown(key: str) -> str:
    """A key as footers and help print it."""
    return _SHOWN.get(key, key)


def bindings() -> list[Binding]:
    """One binding for each key of each command; commands that share a key share its binding."""
    made: dict[str, Binding] = {}
    for command in COMMANDS:
        for key in command.keys:
            if key not in made:
                action = f"app.key({key!r})"
                made[key] = Binding(key, action, command.title, show=False, id=command.id)
    return list(made.values())


def owners(key: str, keys: Mapping[str, str]) -> tuple[str, ...]:
    """The ids of the commands on `key`, the operator's own keys considered, in table order."""
    return tuple(
        one.id for one in COMMANDS if (keys[one.id] == key if one.id in keys else key in one.keys)
    )


def problems(keys: Mapping[str, str]) -> list[str]:
    """What is wrong with the operator's keys, as sentences; empty if they can be used."""
    found = [f"there is no command {name!r}" for name in keys if name not in BY_ID]
    found += [
        f"{name}: {shown(key)} never reaches a program inside tmux or a terminal"
        for name, key in keys.items()
        if key in EATEN or key.startswith("alt+")
    ]
    for name, key in keys.items():
        others = [one for one in owners(key, keys) if one != name and not _share(one, name)]
        if name in BY_ID and others:
            found.append(f"{name}: {shown(key)} is already {', '.join(others)}")
    return found


def _share(one: str, other: str) -> bool:
    """Pause and resume are one key by design: never both can be given."""
    return {one, other} == {"pause", "resume"}
