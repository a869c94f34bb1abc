"""Plain lines for people: what the daemon says on the terminal, or in node.log (rotated)."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fedtui import status

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 4_000_000


class PlainLog:
    """Writes one line per event worth reading; to `path`, or to stdout."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def line(self, text: str) -> None:
        """One line with the local time, at once."""
        stamped = f"{datetime.now(UTC).astimezone():%Y-%m-%d %H:%M:%S} {text}\n"
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
