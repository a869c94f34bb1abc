"""A recording of a node: what its screen saw, so that it can be shown again without the node.

One JSON object a line: `{"at": seconds since the first, "changed": fields of the status}`; the
first line has all fields. Plain reading and writing of lines, no clock and no file of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fedtui.status import NodeStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_LINE_BYTES = 2**20


class RecordingError(Exception):
    """What is wrong with a recording, and on which line."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """`at` in seconds since the first line; `changed` by field of NodeStatus."""

    at: float
    changed: dict[str, Any]


class Recorder:
    """Turns one status after the other into lines."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._before: dict[str, Any] = {}

    def line(self, status: NodeStatus, at: float) -> bytes:
        """What changed since the status before; `at` is UTC seconds. Newline included."""
        if self._first is None:
            self._first = at
        now: dict[str, Any] = msgspec.to_builtins(status)
        changed = {name: value for name, value in now.items() if self._before.get(name) != value}
        self._before = now
        return msgspec.json.encode(Line(at=at - self._first, changed=changed)) + b"\n"


def read(lines: Iterable[bytes]) -> Iterator[tuple[float, NodeStatus]]:
    """The statuses of a recording with their times. Raises RecordingError."""
    types = {one.name: one.type for one in msgspec.structs.fields(NodeStatus)}
    status = NodeStatus()
    for number, text in enumerate(lines, start=1):
        if len(text) > MAX_LINE_BYTES:
            raise RecordingError(f"line {number} is longer than {MAX_LINE_BYTES} bytes")
        try:
            line = msgspec.json.decode(text, type=Line)
            changed = {
                name: msgspec.convert(value, types[name])
                for name, value in line.changed.items()
                if name in types
            }
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise RecordingError(f"line {number} is no line of a recording: {error}") from error
        status = msgspec.structs.replace(status, **changed)  # what did not change stays the same
        yield line.at, status
