"""The six other screens: what each says, full, empty and hostile; filter, copy, export, detail."""

import asyncio
import csv
import json
from pathlib import Path

import a_status
import pytest
from a_screen import done, drawn, rows_of, running, said, screen_of, text_of
from msgspec.structs import replace
from textual.events import Key
from textual.widgets import Input

from fedtui.status import LogLine
from fedtui.tui.commands import SCREENS
from fedtui.tui.screens.eventdetail import EventDetail
from fedtui.tui.widgets.eventlog import EventLog
from fedtui.tui.widgets.pane import Pane
from fedtui.tui.widgets.table import Table

SAYS = {
    "training": (
        "epoch 1/3",
        "done",
        "118/188",
        "pid 4127, nice 10",
        "346 MB",
        "deadline",
    ),
    "rounds": ("✔ selected", "- sat out", "sampled 5 of 8", "! late", "+0.110", "1:09"),
    "network": ("highest 1.2 MB/s", "4 ms / 11 ms", "jitter", "3% of 500 MB", "Bytes per round"),
    "privacy": ("✔ on (here)", "8 nodes (coord)", "ε off", "✔ agreed", "[x] the ledger", "never:"),
    "federation": ("global (coord)", "your hold-out (here)", "9 of your updates", "✖ dropped out"),
    "events": ("! warning", "source all", "maple lost", "6 of 6"),
}


@pytest.mark.parametrize("mode", SAYS)
async def test_each_screen_says_its_part_and_the_three_lines_stay(mode: str) -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await pilot.press(str(SCREENS.index(mode) + 1))
        await drawn(app, pilot)
        assert app.current_mode == mode
        text = text_of(app)
        for words in SAYS[mode]:
            assert words in text, words
        rows = rows_of(app)
        assert "TRAINING" in rows[0]
        assert "bk6l uzeo plup ubbr" in rows[1]
        assert "masked update 1.2 MB" in rows[2]


@pytest.mark.parametrize("mode", [one for one in SAYS if one != "events"])
async def test_an_idle_node_names_the_key_and_the_key_works_there(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = screen_of(a_status.empty())
    async with running(app, (80, 24), mode) as pilot:
        assert "[j] join" in text_of(app)
        given: list[str] = []
        monkeypatch.setattr(app, "give", given.append)
        await pilot.press("j")
        assert given == ["join"]


async def test_an_idle_node_with_events_joins_from_there_and_a_member_moves_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for status, joins in ((a_status.empty(), True), (a_status.normal(), False)):
        app = screen_of(status)
        app.store.log.extend(lines(30))
        async with running(app, (80, 24), "events") as pilot:
            given: list[str] = []
            monkeypatch.setattr(app, "give", given.append)
            await pilot.press("up", "up", "up")
            log = app.screen.query_one(EventLog)
            before = log.cursor
            await pilot.press("j")
            assert (given == ["join"]) is joins
            assert log.cursor == (before if joins else before + 1)


async def test_a_low_privacy_card_says_what_matters_to_the_end() -> None:
    app = screen_of(a_status.normal())
    async with running(app, (60, 18), "privacy") as pilot:
        assert "at worst" in text_of(app)
        assert "keystream" not in text_of(app)
        rows = app.screen.query_one("#card", Pane).lines
        assert len(rows) <= app.screen.query_one("#card").size.height
        await pilot.resize_terminal(60, 40)
        await drawn(app, pilot)
        assert "keystream" in text_of(app)


@pytest.mark.parametrize("name", ["normal", "hostile", "empty", "alarm"])
async def test_every_screen_at_every_size_draws_within_its_panes(name: str) -> None:
    app = screen_of(getattr(a_status, name)())
    async with running(app) as pilot:
        for mode in SAYS:
            await app.switch_mode(mode)
            for size in ((120, 36), (60, 18), (40, 12), (30, 8)):
                await pilot.resize_terminal(*size)
                await drawn(app, pilot)
                too_wide = [
                    (mode, size, pane.id, line.plain)
                    for pane in app.screen.query(Pane)
                    for line in pane.lines
                    if pane.size.area and line.cell_length > pane.size.width
                ]
                assert too_wide == []
                text = text_of(app)
                assert all(sign.isprintable() or sign == "\n" for sign in text)
                assert "q" in rows_of(app)[-1]


async def test_hostile_texts_are_drawn_as_text_and_clicked_without_effect() -> None:
    app = screen_of(a_status.hostile())
    async with running(app, (120, 36), "events") as pilot:
        assert "[@click=app.quit]press[/]" in text_of(app)
        row = next(y for y, text in enumerate(rows_of(app)) if "press[/]" in text)
        await pilot.click(offset=(rows_of(app)[row].index("press"), row))
        await pilot.pause()
        assert app.is_running
        assert app.return_code is None or app.return_code == 0


async def test_copying_a_hostile_line_gives_the_terminal_no_escape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = screen_of(a_status.hostile())
    async with running(app, (120, 36), "events") as pilot:
        taken: list[str] = []
        monkeypatch.setattr(app, "copy_to_clipboard", taken.append)
        for _ in a_status.HOSTILE:
            await pilot.press("y", "up")
        await done(app)
        assert len(taken) == len(a_status.HOSTILE)
        assert all(sign.isprintable() for text in taken for sign in text)


@pytest.mark.parametrize("mode", SCREENS)
async def test_a_paused_node_is_drawn_once_however_much_time_passes(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = a_status.normal()
    over = replace(status.round, phase="", deadline_at=0.0, need=0)
    app = screen_of(replace(status, state="paused", round=over, training=type(status.training)()))
    async with running(app, mode=mode) as pilot:
        painted: list[object] = []
        real = app._display
        monkeypatch.setattr(
            app, "_display", lambda screen, what: (painted.append(what), real(screen, what))
        )
        for seconds in (0.5, 3.0, 70.0, 4000.0, 90_000.0):
            monkeypatch.setattr(app.store, "_clock", lambda later=seconds: a_status.NOW + later)
            app.refresh_view()
            await pilot.pause(0.05)
        assert [one for one in painted if one is not None] == []


# ---- training -----------------------------------------------------------------------------------


async def test_a_silent_trainer_is_said_to_be_stalled() -> None:
    status = a_status.normal()
    silent = replace(status, training=replace(status.training, reported_at=a_status.NOW - 7))
    app = screen_of(silent)
    async with running(app, mode="training"):
        assert "stalled 7.0 s" in text_of(app)
    app = screen_of(a_status.normal())
    async with running(app, mode="training"):
        assert "stalled" not in text_of(app)


async def test_work_that_will_miss_the_deadline_is_marked() -> None:
    status = a_status.normal()
    slow = replace(status, training=replace(status.training, left_s=60.0))
    app = screen_of(slow)
    async with running(app, mode="training"):
        assert "! deadline 46 s" in text_of(app)


async def test_the_scale_of_the_loss_can_be_logarithmic() -> None:
    app = screen_of(a_status.normal())
    async with running(app, mode="training") as pilot:
        assert "(log)" not in text_of(app)
        app.give("log_scale")
        await done(app)
        await drawn(app, pilot)
        assert "loss, 240 batches (log)" in text_of(app)


# ---- rounds and roster --------------------------------------------------------------------------


async def test_rounds_wait_for_shares_in_words() -> None:
    status = a_status.normal()
    opening = replace(
        status,
        round=replace(
            status.round, phase="confirm", steps=a_status.steps("confirm"), have=6, need=8
        ),
    )
    app = screen_of(opening)
    async with running(app, mode="rounds"):
        assert "waiting for 6 of 8" in text_of(app)
        assert "▶ unmask" in text_of(app)


async def test_enter_opens_the_round_under_the_cursor() -> None:
    app = screen_of(a_status.normal())
    async with running(app, mode="rounds") as pilot:
        assert app.screen.focused is app.screen.query_one(Table)
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        assert "Round 9" in text_of(app)
        await pilot.press("escape")
        await drawn(app, pilot)
        assert app.screen.query_one(Table).cursor_row == 2


async def test_a_filter_hides_rounds_and_escape_shows_them_again() -> None:
    app = screen_of(a_status.normal())
    async with running(app, mode="rounds") as pilot:
        table = app.screen.query_one(Table)
        assert table.row_count == 11
        await pilot.press("slash", *"late", "enter")
        await drawn(app, pilot)
        assert table.row_count == 1
        assert "Rounds so far: 1 of 11" in text_of(app)
        await pilot.press("slash", "escape")
        await drawn(app, pilot)
        assert table.row_count == 11


async def test_only_the_round_that_changed_is_drawn_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = screen_of(a_status.normal())
    async with running(app, mode="rounds") as pilot:
        table = app.screen.query_one(Table)
        await pilot.press("down")
        drew: list[int] = []
        real = table.render_line
        monkeypatch.setattr(table, "render_line", lambda y: (drew.append(y), real(y))[1])
        await drawn(app, pilot)
        assert drew == []
        status = app.store.live.status
        changed = replace(status.rounds[-3], dropped=5)
        app.store.heard(
            replace(status, rounds=(*status.rounds[:-3], changed, *status.rounds[-2:]))
        )
        await drawn(app, pilot)
        assert sorted(set(drew)) == [2, 3]  # the cursor's, and that of the round


async def test_the_cursor_stays_on_its_round_when_a_new_one_comes() -> None:
    app = screen_of(a_status.normal())
    async with running(app, mode="rounds") as pilot:
        table = app.screen.query_one(Table)
        await pilot.press("down", "down")
        assert table.copied().split()[0] == "9"
        status = app.store.live.status
        new = replace(status.rounds[-1], number=12)
        app.store.heard(replace(status, rounds=(*status.rounds, new)))
        await drawn(app, pilot)
        assert table.row_count == 12
        assert table.copied().split()[0] == "9"


# ---- events -------------------------------------------------------------------------------------


def lines(count: int, first: int = 0) -> list[LogLine]:
    return [
        LogLine(at=a_status.NOW + n, level="warning" if n % 10 == 0 else "info", text=f"line {n}")
        for n in range(first, first + count)
    ]


async def test_ten_thousand_lines_are_followed_and_only_those_in_sight_are_drawn() -> None:
    app = screen_of(a_status.empty())
    app.store.log.extend(lines(10_000))
    async with running(app, (80, 24), "events") as pilot:
        log = app.screen.query_one(EventLog)
        assert "line 9999" in text_of(app)
        app.store.log.extend(lines(3, 10_000))
        await drawn(app, pilot)
        assert "line 10002" in text_of(app)
        assert log.virtual_size.height == 10_000


async def test_ten_thousand_events_hold_no_key_up() -> None:
    """A key is answered within few events, however many wait behind it."""
    app = screen_of(a_status.empty())
    waited: list[int] = []
    async with running(app, (80, 24), "events") as pilot:
        board = app.controls.board  # type: ignore[attr-defined]
        wanted, asked_at = "events", 0
        for number in range(10_000):
            board.log("info", f"line {number}")
            await asyncio.sleep(0)  # everybody takes a turn
            if app.current_mode == wanted:  # answered: ask for the other one
                waited.append(number - asked_at)
                wanted, asked_at = "overview" if wanted == "events" else "events", number
                key = str(SCREENS.index(wanted) + 1)
                app.post_message(Key(key, key))
        await drawn(app, pilot)
        assert app.store.log[-1].text == "line 9999"
        print(f"{len(waited)} keys, the slowest after {max(waited)} events")  # noqa: T201
    assert len(waited) > 20
    assert max(waited) < 100


async def test_leaving_the_end_stops_following_and_counts_what_comes() -> None:
    app = screen_of(a_status.empty())
    app.store.log.extend(lines(100))
    async with running(app, (80, 24), "events") as pilot:
        await pilot.press("up", "up")
        app.store.log.extend(lines(12, 100))
        await drawn(app, pilot)
        assert "12 new" in text_of(app)
        assert "line 111" not in text_of(app)
        await pilot.press("end")
        await drawn(app, pilot)
        assert "new" not in text_of(app)
        assert "line 111" in text_of(app)


async def test_levels_sources_and_words_filter() -> None:
    app = screen_of(a_status.empty())
    app.store.log.extend([*lines(50), LogLine(at=1, level="error", text="broke", source="link")])
    async with running(app, (80, 24), "events") as pilot:
        await pilot.press("plus", "plus")
        await drawn(app, pilot)
        assert "6 of 51" in text_of(app)
        await pilot.press("minus", "minus", "slash", *"/e 4[89]", "enter")
        await drawn(app, pilot)
        assert "2 of 51" in text_of(app)
        await pilot.press("slash", "escape")
        for _ in range(4):
            await pilot.press("s")
        await drawn(app, pilot)
        assert "source link" in text_of(app)
        assert "1 of 51" in text_of(app)


async def test_a_broken_expression_is_told_and_breaks_nothing() -> None:
    app = screen_of(a_status.normal())
    async with running(app, (120, 36), "events") as pilot:
        await pilot.press("slash", *"/[a", "enter")
        await drawn(app, pilot)
        assert "unterminated character set" in said(app)


async def test_keys_typed_into_the_filter_are_words_not_commands() -> None:
    app = screen_of(a_status.normal())
    async with running(app, (120, 36), "events") as pilot:
        await pilot.press("slash", *"3pq")
        assert app.current_mode == "events"
        assert app.is_running
        assert app.screen.query_one(Input).value == "3pq"


async def test_long_lines_are_cut_and_enter_opens_them_whole() -> None:
    long = LogLine(at=a_status.NOW, level="error", text="x" * 600 + " the end")
    app = screen_of(replace(a_status.empty(), log=(long,)))
    async with running(app, (120, 36), "events") as pilot:
        assert "the end" not in text_of(app)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, EventDetail)
        assert "the end" in text_of(app)
        await pilot.press("escape")
        await pilot.pause()
        assert app.current_mode == "events"


async def test_a_frozen_display_holds_the_events_too() -> None:
    app = screen_of(a_status.empty())
    app.store.log.extend(lines(5))
    async with running(app, (80, 24), "events") as pilot:
        app.store.freeze()
        app.store.log.extend(lines(2, 5))
        await drawn(app, pilot)
        assert "line 6" not in text_of(app)
        app.store.freeze()
        await drawn(app, pilot)
        assert "line 6" in text_of(app)


def written(folder: Path) -> dict[str, Path]:
    return {path.name.split("-")[0]: path for path in folder.glob("*.csv")}


# ---- copy and export ----------------------------------------------------------------------------


async def test_y_copies_the_focused_pane(monkeypatch: pytest.MonkeyPatch) -> None:
    app = screen_of(a_status.normal())
    async with running(app, mode="privacy") as pilot:
        taken: list[str] = []
        monkeypatch.setattr(app, "copy_to_clipboard", taken.append)
        await pilot.press("y")
        await pilot.pause()
        assert taken == []
        await pilot.press("tab", "y")
        await done(app)
        assert "8 nodes (coord)" in taken[0]


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("overview", {"losses", "rounds", "scores"}),
        ("training", {"losses"}),
        ("rounds", {"rounds"}),
        ("network", {"rates", "rounds"}),
        ("privacy", {"privacy", "leaves"}),
        ("federation", {"scores", "roster"}),
        ("events", {"events"}),
    ],
)
async def test_e_exports_what_is_shown_and_says_where(
    mode: str, names: set[str], tmp_path: Path
) -> None:
    app = screen_of(a_status.normal(), exports=tmp_path)
    async with running(app, mode=mode) as pilot:
        await pilot.press("e")
        await done(app)
        assert f"exported to {tmp_path}" in said(app)
    files = written(tmp_path)
    assert set(files) == names
    for path in files.values():
        table = list(csv.DictReader(path.read_text().splitlines()))
        objects = [json.loads(one) for one in path.with_suffix(".jsonl").read_text().splitlines()]
        assert len(table) == len(objects) > 0
        assert list(table[0]) == list(objects[0])


async def test_an_export_keeps_to_the_filter(tmp_path: Path) -> None:
    app = screen_of(a_status.normal(), exports=tmp_path)
    async with running(app, mode="events") as pilot:
        await pilot.press("slash", *"maple", "enter", "e")
        await done(app)
    (path,) = written(tmp_path).values()
    assert len(path.read_text().splitlines()) == 2


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    app = screen_of(a_status.normal(), exports=tmp_path / "file")
    async with running(app, mode="rounds") as pilot:
        await pilot.press("e")
        await done(app)
        assert "not exported" in said(app)


@pytest.mark.parametrize("mode", ["overview", "training", "network", "privacy"])
async def test_a_filter_where_there_are_no_lines_goes_to_the_events(mode: str) -> None:
    app = screen_of(a_status.normal())
    async with running(app, mode=mode) as pilot:
        await pilot.press("slash")
        await done(app)
        await pilot.pause()
        await pilot.press(*"maple", "enter")
        await drawn(app, pilot)
        assert app.current_mode == "events"
        assert "1 of 6" in text_of(app)


async def test_on_a_low_terminal_tab_brings_what_leaves_and_the_consent_into_sight() -> None:
    app = screen_of(a_status.normal())
    async with running(app, size=(60, 18)) as pilot:
        await pilot.press("5")
        await drawn(app, pilot)
        seen = text_of(app)
        for _ in range(3):
            await pilot.press("tab")
            await drawn(app, pilot)
            seen += text_of(app)
        for words in ("Your consent", "What leaves here", "never: images, labels"):
            assert words in seen
