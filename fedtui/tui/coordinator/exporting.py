"""What `e` writes: nodes and rounds as CSV, events as JSON lines. Pure: names and texts of files.

Only what the screen shows, never the text of an invite. A cell that a spreadsheet would take for
a formula gets an apostrophe in front: labels are strangers' texts.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import msgspec

from fedtui.status.coordinator import NodeRow, RoundLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.tui.coordinator.state import View

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def files(view: View) -> dict[str, str]:
    """File name -> text."""
    rounds = view.board.rounds if view.board is not None else ()
    events = [msgspec.json.encode(event).decode() + "\n" for event in view.shown_events]
    return {
        "nodes.csv": _csv(NodeRow, view.nodes),
        "rounds.csv": _csv(RoundLine, rounds),
        "events.jsonl": "".join(events),
    }


def _csv(kind: type[msgspec.Struct], rows: Sequence[msgspec.Struct]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = kind.__struct_fields__
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in names])
    return out.getvalue()


def _cell(value: object) -> object:
    text = " ".join(map(str, value)) if isinstance(value, tuple) else value
    if isinstance(text, str) and text.startswith(_FORMULA):
        return f"'{text}"
    return "" if text is None else text
