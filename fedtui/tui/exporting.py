"""Exporting: tables of what is shown, as CSV and as JSON lines, whole files or none.

A cell that a spreadsheet would take for a formula begins with an apostrophe: the words in it may
come from strangers. Files are the operator's own (0600) and never replace others.
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from fedtui.tui.harmless import harmless

Cell = str | int | float | bool | None
MAX_CELL = 4000


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: every row has as many cells as there are columns."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def as_csv(sheet: Sheet) -> str:
    """With a row of names at the top."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(sheet.columns)
    writer.writerows([_inert(cell) for cell in row] for row in sheet.rows)
    return out.getvalue()


def _inert(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    clean = harmless(cell, MAX_CELL)
    return f"'{clean}" if clean[:1] in set("=+-@") else clean


def as_json_lines(sheet: Sheet) -> str:
    """One object for each row."""
    lines = []
    for row in sheet.rows:
        cells = (harmless(one, MAX_CELL) if isinstance(one, str) else one for one in row)
        lines.append(msgspec.json.encode(dict(zip(sheet.columns, cells, strict=True))).decode())
    return "".join(f"{line}\n" for line in lines)


def write(folder: Path, sheets: tuple[Sheet, ...], now: float) -> list[Path]:
    """Write each sheet that has rows in both forms; the paths. `now` is UTC seconds.

    Raises OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.fromtimestamp(now, tz=UTC).strftime("%Y%m%d-%H%M%S")
    made = []
    for sheet in sheets:
        if sheet.rows:
            made.append(_whole(folder, f"{sheet.name}-{stamp}", ".csv", as_csv(sheet)))
            made.append(_whole(folder, f"{sheet.name}-{stamp}", ".jsonl", as_json_lines(sheet)))
    return made


def write_text(folder: Path, name: tuple[str, str], text: str, now: float) -> Path:
    """Write one file; `name` is its stem and ending, `now` UTC seconds. Its path.

    Raises OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.fromtimestamp(now, tz=UTC).strftime("%Y%m%d-%H%M%S")
    return _whole(folder, f"{name[0]}-{stamp}", name[1], text)


def _whole(folder: Path, stem: str, ending: str, text: str) -> Path:
    """The file appears with all of its text, under a name that was free."""
    handle, part = tempfile.mkstemp(dir=folder, prefix=".export-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return _named(folder, stem, ending, Path(part))
    finally:
        Path(part).unlink(missing_ok=True)


def _named(folder: Path, stem: str, ending: str, part: Path) -> Path:
    for count in range(1, 1000):
        wanted = folder / f"{stem}{'' if count == 1 else f'-{count}'}{ending}"
        try:
            wanted.hardlink_to(part)
        except FileExistsError:
            continue
        return wanted
    raise OSError(f"there are a thousand files named {stem} in {folder}")
