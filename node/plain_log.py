"""Plain lines for people: what the daemon says on the terminal, or in node.log (rotated).

`texts` and `lines` read the file again, also while no daemon runs.
"""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fedtui import status

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 4_000_000
_TIME = "%Y-%m-%d %H:%M:%S"
_TIME_LENGTH = len("2026-11-24 14:08:29")
_LEVELS: dict[str, status.Level] = {"warning": "warning", "problem": "warning", "error": "error"}


class PlainLog:
    """Writes one line per event worth reading; to `path`, or to stdout."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def line(self, text: str) -> None:
        """One line with the local time, at once."""
        stamped = f"{datetime.now(UTC).astimezone():{_TIME}} {text}\n"
        if self._path is None:
            sys.stdout.write(stamped)
            sys.stdout.flush()
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(stamped)
            full = file.tell() > MAX_BYTES
        if full:
            self._path.replace(self._path.with_suffix(".log.1"))

    def event(self, event: status.Event) -> None:
        """A listener of the board: a line that cannot be written stops nothing else."""
        with contextlib.suppress(OSError):
            self._say(event)

    def _say(self, event: status.Event) -> None:
        match event:
            case status.StateChanged(state=state, sentence=sentence):
                self.line(f"{state}: {sentence}")
            case status.Logged(line=said):
                self.line(said.text if said.level == "info" else f"{said.level}: {said.text}")
            case status.ProblemSeen(problem=problem) if problem is not None:
                cure = f"; {problem.remedy}" if problem.remedy else ""
                self.line(f"problem: {problem.text}{cure}")
            case status.LedgerWritten(line=entry):
                self.line(
                    f"leaves here: round {entry.round}, {entry.what}, {entry.num_bytes:,} bytes, "
                    f"{entry.form}"
                )
            case _:
                pass


def texts(path: Path, limit: int) -> list[str]:
    """The newest lines of a log, oldest first."""
    found: list[str] = []
    for file in (path.with_suffix(".log.1"), path):
        if file.exists():
            found += file.read_text(encoding="utf-8", errors="replace").splitlines()
    return found[-limit:]


def lines(path: Path, limit: int) -> tuple[status.LogLine, ...]:
    """The same as programs read it; a line without a time, as of a traceback, has that before."""
    found: list[status.LogLine] = []
    at = 0.0
    for text in texts(path, limit):
        said = text
        with contextlib.suppress(ValueError):  # written in local time
            at = datetime.strptime(text[:_TIME_LENGTH], _TIME).astimezone().timestamp()
            said = text[_TIME_LENGTH + 1 :]
        level = _LEVELS.get(said.partition(": ")[0], "info")
        found.append(status.LogLine(at=at, level=level, text=said))
    return tuple(found)
