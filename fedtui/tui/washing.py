"""Washing: a whole status with every text in it made harmless, before anything draws it. Pure.

The one gate between what came from elsewhere and the screens: behind it no widget has to think of
escapes. Most of a status is the same as a moment ago, and is not looked at again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from fedtui.tui.harmless import harmless

if TYPE_CHECKING:
    from fedtui.status import NodeStatus

MAX_TEXT = 4000
T = TypeVar("T")


def washed(value: T) -> T:
    """The same value with harmless texts; itself if all of them are."""
    if isinstance(value, str):
        if len(value) <= MAX_TEXT and value.isascii() and value.isprintable():
            return value
        clean = harmless(value, MAX_TEXT)
        return value if clean == value else cast("T", clean)
    if isinstance(value, tuple):
        return cast("T", _tuple(value))
    if isinstance(value, msgspec.Struct):
        return cast("T", _struct(value))
    return value


def _struct(value: Any) -> Any:
    changed: dict[str, Any] = {}
    for name in value.__struct_fields__:
        old = getattr(value, name)
        new = washed(old)
        if new is not old:
            changed[name] = new
    return msgspec.structs.replace(value, **changed) if changed else value


def _tuple(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values or isinstance(values[0], int | float):
        return values
    made = tuple(washed(one) for one in values)
    return made if any(new is not old for new, old in zip(made, values, strict=True)) else values


class Washer:
    """Washes one status after the other; parts that are the same object are done once.

    That holds for the lines of long tuples too: one more is one to do.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, object]] = {}
        self._lines: dict[str, dict[int, tuple[object, object]]] = {}  # by id, of what is kept

    def wash(self, status: NodeStatus) -> NodeStatus:
        changed: dict[str, Any] = {}
        for name in status.__struct_fields__:
            old = getattr(status, name)
            known = self._known.get(name)
            if known is None or known[0] is not old:
                known = self._known[name] = (old, self._field(name, old))
            if known[1] is not old:
                changed[name] = known[1]
        return msgspec.structs.replace(status, **changed) if changed else status

    def _field(self, name: str, value: Any) -> Any:
        if not isinstance(value, tuple) or not value or isinstance(value[0], int | float):
            return washed(value)
        before, now = self._lines.get(name, {}), {}
        made = []
        for one in value:
            known = before.get(id(one))
            if known is None or known[0] is not one:
                known = (one, washed(one))
            now[id(one)] = known
            made.append(known[1])
        self._lines[name] = now
        same = all(new is old for new, old in zip(made, value, strict=True))
        return value if same else tuple(made)
