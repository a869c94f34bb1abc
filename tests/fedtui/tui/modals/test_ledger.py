"""The ledger: totals, filter, copy, export; nothing in it is a formula or markup."""

import csv
from pathlib import Path

import a_status
from a_screen import drawn, running, screen_of, text_of
from msgspec.structs import replace
from textual.widgets import DataTable, Input

from fedtui.tui.modals.ledger import Ledger, matching, totals

LINES = a_status.ledger()


def test_every_word_must_be_in_the_line_newest_first() -> None:
    assert [one.round for one in matching(LINES, "")][:2] == [11, 10]
    assert [one.round for one in matching(LINES, "ROUND 7 masked")] == [7]
    assert matching(LINES, "masked nowhere") == []


def test_totals_say_how_much_of_how_much() -> None:
    assert totals(LINES, out_of=11) == "11 entries, 13.2 MB, 11 rounds, 1 receiver"
    assert totals(LINES[:1], out_of=11).startswith("1 of 11 entries, 1.2 MB")


async def test_no_column_is_cut_to_its_heading() -> None:
    app = screen_of(replace(a_status.normal(), ledger=()))
    async with running(app) as pilot:
        await pilot.press("x")
        await drawn(app, pilot)
        top = app.screen
        assert isinstance(top, Ledger)
        for lines in (LINES[:1], LINES, (replace(LINES[0], receiver="漢字" * 8),)):
            app.store.ledger.extend(lines)
            top.shown(app.store.live)
            table = top.query_one(DataTable)
            for place, column in enumerate(table.ordered_columns):  # at once, not when it is idle
                cells = [table.get_row_at(row)[place] for row in range(table.row_count)]
                assert column.width == max(cell.cell_len for cell in (*cells, column.label))


def written_in(folder: Path, ending: str) -> list[Path]:
    return [*folder.glob(f"ledger-*.{ending}")]


async def test_filter_copy_and_export(tmp_path: Path) -> None:
    status = replace(a_status.normal(), ledger=(*LINES, replace(LINES[0], round=12, what="=1+1")))
    app = screen_of(status, exports=tmp_path)
    async with running(app) as pilot:
        await pilot.press("x")
        await drawn(app, pilot)
        assert isinstance(app.screen, Ledger)
        assert "12 entries, 14.4 MB" in text_of(app)
        assert "masked update, 300 k values" in text_of(app)
        await pilot.press("y")
        assert app.clipboard == LINES[0].digest
        await pilot.press("slash", *"12")
        await drawn(app, pilot)
        assert app.screen.query_one(DataTable).row_count == 1
        assert app.screen.query_one("#filter", Input).value == "12"
        await pilot.press("enter", "e")
        while not written_in(tmp_path, "jsonl"):
            await pilot.pause(0.01)
        (written,) = written_in(tmp_path, "csv")
        rows = [*csv.DictReader(written.read_text().splitlines())]
        assert [one["what"] for one in rows] == ["'=1+1"]


async def test_nothing_left_is_said() -> None:
    app = screen_of(a_status.empty())
    async with running(app) as pilot:
        await pilot.press("x")
        await drawn(app, pilot)
        assert "Nothing has left this machine" in text_of(app)


async def test_a_folder_that_cannot_be_written_is_told_in_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    app = screen_of(a_status.normal(), exports=tmp_path / "file")
    async with running(app) as pilot:
        await pilot.press("x")
        await drawn(app, pilot)
        await pilot.press("e")
        while "cannot write" not in text_of(app):
            await pilot.pause(0.01)
