"""The child process in which trackers run: `python -m coordinator.tracking_child`.

They load large packages, torch among them, and may ask a server that does not answer: none of it
belongs in the coordinator, which imports no more of this than the structs. Standard input holds a
JSON object a line: first Begin, then Told until the end; standard output a Problem a line.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from fedtui.tracking.base import Tracker, Trackers, build_tracker

MAX_TEXT = 1000


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """Which trackers, where, and what the run is called."""

    writers: list[str]
    folder: str
    uri: str
    name: str
    about: dict[str, str]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of a finished round at `at` (UTC seconds)."""

    round: int
    figures: dict[str, float]
    at: float


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A tracker was switched off; the sentence says which and why."""

    text: str


def main() -> None:
    """Serve one coordinator until its standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator says when it is over
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what packages print is no Problem

    def warn(text: str) -> None:
        out.write(msgspec.json.encode(Problem(text=text[:MAX_TEXT])) + b"\n")

    lines = sys.stdin.buffer
    begin = msgspec.json.decode(lines.readline(), type=Begin)
    trackers = Trackers(_built(begin, warn), warn)
    trackers.begin(begin.name, begin.about)
    for line in lines:
        told = msgspec.json.decode(line, type=Told)
        trackers.round(told.round, told.figures, told.at)
    trackers.end()


def _built(begin: Begin, warn: Callable[[str], None]) -> dict[str, Tracker]:
    found = {}
    for name in begin.writers:
        try:
            found[name] = build_tracker(name, Path(begin.folder), begin.uri)
        except Exception as error:  # noqa: BLE001  packages of others; the other trackers go on
            warn(f"{name} is switched off: {error}")
    return found


if __name__ == "__main__":
    main()
