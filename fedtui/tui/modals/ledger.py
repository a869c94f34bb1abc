"""Ledger: everything that left this machine, with totals, a filter and an export."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.widgets import DataTable, Input

from fedtui.tui import exporting, wording
from fedtui.tui.exporting import Sheet
from fedtui.tui.harmless import path_like
from fedtui.tui.modals.base import Modal, Words
from fedtui.tui.modals.fields import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from fedtui.status import LedgerLine
    from fedtui.tui.view import View

SHOWN = 1000
COLUMNS = ("when", "round", "what", "bytes", "form", "to", "hash")
FIELDS = ("at", "round", "attempt", "what", "num_bytes", "form", "receiver", "digest")


def matching(ledger: Iterable[LedgerLine], words: str) -> list[LedgerLine]:
    """Lines in which every word occurs, newest first; case does not matter."""
    wanted = words.casefold().split()
    found = []
    for line in ledger:
        text = (
            f"round {line.round} {line.what} {line.form} {line.receiver} {line.digest}".casefold()
        )
        if all(word in text for word in wanted):
            found.append(line)
    return found[::-1]


def totals(found: Sequence[LedgerLine], *, out_of: int) -> str:
    """How much, in how many entries, to whom."""
    receivers = {line.receiver for line in found}
    rounds = {line.round for line in found if line.round}
    entries = "entry" if out_of == 1 else "entries"
    shown = f"{len(found)} of {out_of}" if len(found) != out_of else f"{out_of}"
    return (
        f"{shown} {entries}, {wording.size(sum(line.num_bytes for line in found))}, "
        f"{wording.count(len(rounds), 'round')}, {wording.count(len(receivers), 'receiver')}"
    )


def sheet(found: Iterable[LedgerLine]) -> Sheet:
    """These lines, to export."""
    return Sheet(
        "ledger", FIELDS, tuple(tuple(getattr(one, name) for name in FIELDS) for one in found)
    )


def _cells(line: LedgerLine) -> tuple[str, ...]:
    return (
        f"{wording.day(line.at)[5:]} {wording.moment(line.at)}",
        str(line.round or "-"),
        wording.cut(line.what, 40),
        wording.size(line.num_bytes),
        wording.cut(line.form, 30),
        wording.cut(line.receiver, 30),
        line.digest[:12],
    )


class Ledger(Modal[None]):
    """The newest SHOWN of what fits the filter."""

    heading = "What left this machine"
    hints = (
        ("/", "filter"),
        ("e", "export"),
        ("y", "copy hash"),
        ("Esc", "close"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", show=False),
        Binding("e", "export", show=False),
        Binding("y", "copy", show=False),
    ]
    follows = True
    wide = True

    def __init__(self) -> None:
        super().__init__()
        self._found: list[LedgerLine] = []
        self._drawn: tuple[object, ...] = ()
        self._widths: tuple[int, ...] = ()

    def body(self) -> ComposeResult:
        yield Words(id="totals")
        yield Line(id="filter", hint="filter: round 12, masked, a hash")
        yield DataTable(id="table", cursor_type="row", zebra_stripes=False)
        yield Words("Nothing has left this machine.", id="empty", classes="verified")

    def on_mount(self) -> None:
        self.query_one(DataTable).focus()

    def shown(self, view: View) -> None:  # noqa: ARG002  the ledger is in the store
        ledger = self.face.store.ledger
        words = self.query_one("#filter", Line).value
        drawn = (len(ledger), ledger[-1] if ledger else None, words)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self._found = matching(ledger, words)
        self.query_one("#totals", Words).show(totals(self._found, out_of=len(ledger)))
        self.query_one("#empty").display = not ledger
        self._fill()

    def _fill(self) -> None:
        table: DataTable[Text] = self.query_one(DataTable)
        table.display = bool(self._found)
        row = table.cursor_row
        rows = [_cells(line) for line in self._found[:SHOWN]]
        widths = tuple(max(map(cell_len, column)) for column in zip(COLUMNS, *rows, strict=True))
        table.clear(columns=widths != self._widths)
        if widths != self._widths:  # told here: the table itself measures only when it is idle
            self._widths = widths
            for name, width in zip(COLUMNS, widths, strict=True):
                table.add_column(name, key=name, width=width)
        for row_cells in rows:
            table.add_row(*map(Text, row_cells))
        table.move_cursor(row=row)

    @on(Input.Changed, "#filter")
    def filtered(self) -> None:
        self.shown(self.view)

    @on(Input.Submitted, "#filter")
    def to_table(self) -> None:
        self.query_one(DataTable).focus()

    def action_filter(self) -> None:
        self.query_one("#filter").focus()

    async def action_export(self) -> None:
        """Write what the filter shows, oldest first."""
        folder, found = self.face.outside.exports, self._found[::-1]
        try:
            paths = await asyncio.to_thread(
                exporting.write, folder, (sheet(found),), self.view.now
            )
        except OSError as error:
            self.refuse(f"cannot write into {path_like(str(folder))}: {error.strerror or error}")
            return
        names = ", ".join(path.name for path in paths) or "nothing"
        self.face.say(f"exported to {path_like(str(folder.absolute()))}: {names}")

    def action_copy(self) -> None:
        row = self.query_one(DataTable).cursor_row
        if row < len(self._found):
            self.app.copy_to_clipboard(self._found[row].digest)
            self.face.say("its hash is in the clipboard")
