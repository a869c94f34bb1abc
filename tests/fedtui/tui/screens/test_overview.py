"""The overview at four sizes: what each shows, what it lets go, and what nothing may break."""

import a_status
import pytest
from a_screen import drawn, rows_of, running, screen_of, text_of
from msgspec.structs import replace

from fedtui.tui.settings import Settings
from fedtui.tui.widgets.pane import Pane

SIZES = [(120, 36), (80, 24), (60, 18), (40, 12)]
ODD = [(200, 60), (100, 20), (99, 31), (60, 40), (59, 19), (30, 8), (131, 9), (33, 50)]


def shown(app: object) -> set[str]:
    return {pane.id or "" for pane in app.screen.query(Pane) if pane.region.area}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("size", "panes"),
    [
        (SIZES[0], {"round", "training", "network", "federation", "privacy", "events"}),
        (SIZES[1], {"round", "training", "network", "federation", "privacy", "events"}),
        (SIZES[2], {"round", "training", "privacy", "events"}),
        (SIZES[3], {"round", "training"}),
    ],
    ids=str,
)
async def test_each_size_shows_its_panes(size: tuple[int, int], panes: set[str]) -> None:
    app = screen_of(a_status.normal())
    async with running(app, size):
        assert shown(app) == panes


@pytest.mark.parametrize("name", ["normal", "offline", "alarm", "empty", "hostile"])
async def test_at_any_size_rows_fit_and_the_three_lines_and_a_way_out_are_there(name: str) -> None:
    app = screen_of(getattr(a_status, name)())
    async with running(app) as pilot:
        for size in (*SIZES, *ODD):
            await pilot.resize_terminal(*size)
            await drawn(app, pilot)
            rows = rows_of(app)
            assert len(rows) == size[1]
            text = "\n".join(rows)
            assert "q" in rows[-1], size
            assert any(word in text for word in ("TRAINING", "OFFLINE", "IDLE")), size
            assert "bk6l" in text or name in {"empty", "hostile"}, size
            too_wide = [
                (size, pane.id, pane.size, line.plain)
                for pane in app.screen.query(Pane)
                for line in pane.lines
                if pane.size.area and line.cell_length > pane.size.width
            ]
            assert too_wide == []


async def test_wide_says_what_the_wireframe_says() -> None:
    app = screen_of(a_status.normal())
    async with running(app):
        text = text_of(app)
    for words in (
        "3 Round 12/50",
        "✔ selected ──── ✔ download ──── ▶ train ",
        "1.2MB 0.8s",
        "0:14/0:22",
        "deadline 46 s",
        "2 Training",
        "epoch 2/3 ━",
        "118/188",
        "812 ex/s",
        "loss 0.338",
        "loss, 240 batches",
        "4 Network",
        "RTT 4 ms  p99 11 ms",
        "↑ 14.1 MB of 500  ↓ 14.9 MB",
        "CPU 62%",
        "power AC",
        "6 Federation",
        "global 0.933  best 0.934",
        "5 Privacy",
        "ε off",
        "sum-only (here)  cohort 8  min 5",
        "other nodes see: nothing of yours",
        "7 Events  / filter",
        "maple lost (heartbeat 10 s); 7 of 8 left, threshold 5",
    ):
        assert words in text, words


async def test_tiny_shows_the_one_phase_and_digits_switch_the_pane() -> None:
    app = screen_of(a_status.normal())
    async with running(app, (40, 12)) as pilot:
        assert "▶ 3/7 train 0:14/0:22" in text_of(app)
        await pilot.press("4")
        await drawn(app, pilot)
        assert shown(app) == {"network-small"}
        assert "4 Network" in text_of(app)
        await pilot.press("5")
        await drawn(app, pilot)
        assert shown(app) == {"privacy-small"}


@pytest.mark.parametrize("size", [(29, 8), (30, 7), (20, 2)], ids=str)
async def test_next_to_nothing_says_state_round_and_two_keys(size: tuple[int, int]) -> None:
    app = screen_of(a_status.normal())
    async with running(app, size) as pilot:
        rows = [row.strip() for row in rows_of(app)]
        assert rows[0].startswith("training 12")
        assert rows[1] == "keys: ? q"
        assert not any(rows[2:])
        await pilot.resize_terminal(80, 24)
        await drawn(app, pilot)
        assert "2 Training" in text_of(app)


async def test_idle_names_the_key() -> None:
    app = screen_of(a_status.empty())
    async with running(app, (80, 24)):
        assert "Idle." in text_of(app)
        assert "[j] join" in text_of(app)


async def test_the_frame_turns_red_where_updates_are_visible() -> None:
    app = screen_of(a_status.alarm())
    async with running(app):
        assert app.screen.query_one("#privacy").has_class("-alarmed")
        assert "! updates are VISIBLE" in text_of(app)
        assert "✖ upload" in text_of(app)
    app = screen_of(a_status.normal())
    async with running(app):
        assert not app.screen.query_one("#privacy").has_class("-alarmed")


async def test_a_cohort_below_the_threshold_is_red_too() -> None:
    status = a_status.normal()
    small = replace(status, privacy=replace(status.privacy, cohort=4))
    app = screen_of(small)
    async with running(app):
        assert "cohort 4 is below the threshold 5" in text_of(app)


async def test_a_screen_on_which_nothing_changes_repaints_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        painted: list[object] = []
        real = app._display
        monkeypatch.setattr(
            app, "_display", lambda screen, what: (painted.append(what), real(screen, what))
        )
        for _ in range(5):
            app.refresh_view()
            await pilot.pause()
        assert [one for one in painted if one is not None] == []


async def test_only_the_rows_that_changed_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        asked: list[tuple[str, int]] = []
        for pane in app.screen.query(Pane):
            monkeypatch.setattr(
                pane, "refresh", lambda *some, pane=pane, **_: asked.append((pane.id, len(some)))
            )
        status = app.store.live.status
        machine = replace(status.machine, cpu_percent=63.0)
        app.store.heard(replace(status, machine=machine))
        app.refresh_view()
        await pilot.pause()
        assert asked == [("network", 1)]


async def test_z_zooms_the_focused_pane_and_back() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        assert app.screen.focused is None
        await pilot.press("tab", "tab")
        assert app.screen.focused is app.screen.query_one("#training")
        await pilot.press("z")
        await drawn(app, pilot)
        assert app.screen.maximized is app.screen.query_one("#training")
        await pilot.press("z")
        await drawn(app, pilot)
        assert app.screen.maximized is None


@pytest.mark.parametrize("name", ["block", "ascii"])
async def test_other_signs_leave_no_sign_that_the_terminal_lacks(name: str) -> None:
    app = screen_of(a_status.normal(), Settings(glyphs=name))  # type: ignore[arg-type]
    async with running(app):
        text = text_of(app)
        assert not any(0x2800 <= ord(sign) <= 0x28FF for sign in text)
        if name == "ascii":
            left = {sign for sign in text if not sign.isascii()}
            assert left <= set("·ε"), left
