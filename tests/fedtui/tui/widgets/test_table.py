"""Table: columns in line whatever is in them, a cursor in sight, and no line drawn for nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.strip import Strip

from fedtui.tui.themes import THEMES
from fedtui.tui.widgets.table import Row, Table

HEIGHT = 6  # with the heading; the frame is around it


class Counted(Table):
    """Knows which of its lines were drawn."""

    drawn: list[int]

    def render_line(self, y: int) -> Strip:
        self.drawn.append(y)
        return super().render_line(y)


class Alone(App[None]):
    """One table in the corner, with something else that can have the focus."""

    CSS = f"Table {{ width: 40; height: {HEIGHT + 2}; border: round white; }}"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(THEMES[0].variables)

    def compose(self) -> ComposeResult:
        table = Counted("Rounds", ("round", "who"), id="one")
        table.drawn = []
        self.opened: list[str] = []
        yield table

    def on_table_opened(self, message: Table.Opened) -> None:
        self.opened.append(message.key)


def rows(*names: str) -> list[Row]:
    return [(name, ((str(place), "quiet"), (name, ""))) for place, name in enumerate(names)]


MANY = rows(*(f"node-{number}" for number in range(20)))


@asynccontextmanager
async def shown(made: list[Row]) -> AsyncIterator[tuple[Pilot[None], Counted]]:
    app = Alone()
    async with app.run_test(size=(60, 20)) as pilot:
        table = app.query_one(Counted)
        table.fill(made)
        table.focus()
        await pilot.pause()
        table.drawn.clear()
        yield pilot, table


def texts(table: Table) -> list[str]:
    return [table.render_line(y).text for y in range(HEIGHT)]


async def test_what_is_as_before_is_not_drawn_again_and_what_changed_alone_is() -> None:
    async with shown(rows("alder", "birch", "maple")) as (pilot, table):
        table.fill(rows("alder", "birch", "maple"))
        await pilot.pause()
        assert table.drawn == []
        table.fill(rows("alder", "beech", "maple"))
        await pilot.pause()
        assert set(table.drawn) <= {1, 2}  # the cursor's and the changed one
        assert 2 in table.drawn


async def test_moving_the_cursor_draws_two_lines() -> None:
    async with shown(rows("alder", "birch", "maple")) as (pilot, table):
        await pilot.press("down")
        assert table.cursor_row == 1
        assert sorted(table.drawn) == [1, 2]


async def test_the_cursor_is_always_in_sight_and_the_heading_too() -> None:
    async with shown(MANY) as (pilot, table):
        for key in ("end", "home", "pagedown", "pagedown", "k", "pageup", "N", "end", "pageup"):
            await pilot.press(key)
            seen = texts(table)
            assert seen[0].split() == ["round", "who"]
            assert any(f"node-{table.cursor_row} " in line for line in seen[1:]), key
        await pilot.press("end")
        assert table.cursor_row == 19
        assert "node-19 " in texts(table)[-1]


async def test_the_cursor_stays_on_its_row_also_when_that_moves_out_of_sight() -> None:
    async with shown(MANY) as (pilot, table):
        await pilot.press("down", "down")
        new = [(f"new-{n}", (("", ""), (f"new-{n}", ""))) for n in range(12)]
        table.fill([*new, *MANY])
        await pilot.pause()
        assert table.copied() == "2  node-2"
        assert any("node-2 " in line for line in texts(table)[1:])
        table.fill(MANY[5:])  # its row is gone
        await pilot.pause()
        assert table.cursor_row == 0


async def test_columns_are_in_line_also_with_wide_and_narrow_signs() -> None:
    async with shown(rows("杉", "e\u0301", "long enough to be the widest of all")) as (_, table):
        lines = texts(table)
        at = cell_len(lines[0][: lines[0].index("who")])
        for line, name in zip(lines[1:], ("杉", "e\u0301", "long"), strict=False):
            assert cell_len(line[: line.index(name)]) == at
        assert {cell_len(line) for line in lines} == {table.scrollable_content_region.width}


async def test_enter_and_a_second_click_open_the_row() -> None:
    async with shown(rows("alder", "birch", "maple")) as (pilot, table):
        app = table.app
        assert isinstance(app, Alone)
        await pilot.press("down", "enter")
        assert app.opened == ["birch"]
        await pilot.click(table, offset=(4, 4))
        assert (table.cursor_row, app.opened) == (2, ["birch"])
        await pilot.click(table, offset=(4, 4))
        assert app.opened == ["birch", "maple"]
        await pilot.click(table, offset=(4, 1))  # the heading
        assert app.opened == ["birch", "maple"]


async def test_j_moves_down_unless_it_is_left_to_others() -> None:
    async with shown(MANY) as (pilot, table):
        await pilot.press("j")
        assert table.cursor_row == 1
        table.leaves_j = True
        await pilot.press("j", "n")
        assert table.cursor_row == 2


async def test_without_rows_its_keys_are_free() -> None:
    async with shown([]) as (_, table):
        assert table.check_action("cursor", (1,)) is False
        assert table.copied() == ""
    async with shown(MANY) as (_, table):
        assert table.check_action("cursor", (1,)) is True
