"""A recording of a node: what its screen saw, so that it can be shown again without the node.

The first line is `{"recording": 2}`, each other one a JSON object (Line): what changed since the
line before, by path in the status ("state", "round.steps.3.state"), and of a list that grew only
what was added. The first of them has all fields. Recordings of version 1 have no first line of
their own and only whole fields; they are read as well. Plain reading and writing of lines, no
clock and no file of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from fedtui.status import NodeStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

VERSION = 2
MAX_LINE_BYTES = 2**20
Count = Annotated[int, msgspec.Meta(ge=0)]


class RecordingError(Exception):
    """What is wrong with a recording, and on which line."""


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line."""

    recording: int


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`at` in seconds since the first status; `changed` has new values by path.

    `grown` has lists by path: (first, num, items) means that the list is what was there from place
    `first` on, `num` of it, and then these items.
    """

    at: float
    changed: dict[str, Any]
    grown: dict[str, tuple[Count, Count, list[Any]]] = {}


class Recorder:
    """Turns one status after the other into lines."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._before = NodeStatus()
        self._tree: dict[str, Any] = {}

    def line(self, status: NodeStatus, at: float) -> bytes:
        """What changed since the status before; `at` is UTC seconds. Newline included."""
        header = b""
        if self._first is None:
            self._first = at
            header = msgspec.json.encode(Header(recording=VERSION)) + b"\n"
        line = Line(at=at - self._first, changed={}, grown={})
        for name in NodeStatus.__struct_fields__:
            value = getattr(status, name)
            if name in self._tree and value is getattr(self._before, name):
                continue
            now = msgspec.to_builtins(value)
            if name in self._tree:
                _compare(line, name, self._tree[name], now)
            else:
                line.changed[name] = now
            self._tree[name] = now
        self._before = status
        return header + msgspec.json.encode(line) + b"\n"


def _compare(line: Line, path: str, before: Any, now: Any) -> None:
    """Add to the line how `now` is made of what was there before."""
    if before == now:
        return
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() == now.keys():
        for name, value in now.items():
            _compare(line, f"{path}.{name}", before[name], value)
        return
    if isinstance(before, list | tuple) and isinstance(now, list | tuple):
        first, num = _kept(before, now)
        if len(before) == len(now) and first + num < len(now):  # some of them became others
            for place, value in enumerate(now):
                _compare(line, f"{path}.{place}", before[place], value)
            return
        if num:
            line.grown[path] = (first, num, list(now[num:]))
            return
    line.changed[path] = now


def _kept(before: Sequence[Any], now: Sequence[Any]) -> tuple[int, int]:
    """Where what is kept begins in `before`, and how many: `now` begins with them.

    A tail loses items at its front and gets new ones at its end; or its last ones were replaced.
    """
    for first in range(len(before)):
        num = min(len(before) - first, len(now))
        if before[first : first + num] == now[:num]:
            return first, num
    pairs = enumerate(zip(before, now, strict=False))
    return 0, next((place for place, (one, other) in pairs if one != other), 0)


def read(lines: Iterable[bytes]) -> Iterator[tuple[float, NodeStatus]]:
    """The statuses of a recording with their times. Raises RecordingError."""
    types = {one.name: one.type for one in msgspec.structs.fields(NodeStatus)}
    status = NodeStatus()
    tree: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(status))
    for number, text in enumerate(lines, start=1):
        if len(text) > MAX_LINE_BYTES:
            raise RecordingError(f"line {number} is longer than {MAX_LINE_BYTES} bytes")
        if number == 1 and _is_header(text):
            continue
        try:
            line = msgspec.json.decode(text, type=Line)
            touched = {_apply(tree, path, value) for path, value in line.changed.items()}
            touched |= {_grow(tree, path, *told) for path, told in line.grown.items()}
            changed = {
                name: msgspec.convert(tree[name], types[name]) for name in touched if name in types
            }
        except (msgspec.DecodeError, ValueError, LookupError, RecursionError) as error:
            raise RecordingError(f"line {number} is no line of a recording: {error}") from error
        status = msgspec.structs.replace(status, **changed)  # what did not change stays the same
        yield line.at, status


def _is_header(text: bytes) -> bool:
    """Whether this is the line that says the version. Raises RecordingError for another one."""
    try:
        header = msgspec.json.decode(text, type=Header)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False  # version 1 had none
    if header.recording != VERSION:
        raise RecordingError(
            f"it has version {header.recording} and this fedtui reads {VERSION}: "
            "show it with the fedtui that recorded it"
        )
    return True


def _apply(tree: dict[str, Any], path: str, value: Any) -> str:
    """Set the value at `path`; the name of the field of the status. Raises LookupError."""
    *way, last = path.split(".")
    here: Any = tree
    for name in way:
        here = _below(here, name)
    if way:
        _below(here, last)  # only a field of the status itself may be unknown
    here[int(last) if isinstance(here, list) else last] = value
    return path.partition(".")[0]


def _below(here: Any, name: str) -> Any:
    """The field, or the item of a list. Raises LookupError and ValueError."""
    if isinstance(here, list):
        return here[int(name)]
    if isinstance(here, dict):
        return here[name]
    raise LookupError(f"there is nothing below {name}")


def _grow(tree: dict[str, Any], path: str, first: int, num: int, items: list[Any]) -> str:
    """Make the list at `path` of what it was and new items. Raises LookupError."""
    before: Any = tree
    for name in path.split("."):
        before = _below(before, name)
    if not isinstance(before, list) or first + num > len(before):
        raise LookupError(f"{path}: there are not so many to keep")
    return _apply(tree, path, [*before[first : first + num], *items])
