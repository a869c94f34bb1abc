"""Rounds that the status drops stay, those of another federation go, and the row opens its own."""

import a_status
import pytest
from a_screen import drawn, running, screen_of, text_of
from msgspec.structs import replace

from fedtui.status import PastRound, Refused
from fedtui.tui.app import FedtuiApp
from fedtui.tui.modals.rounddetail import RoundDetail
from fedtui.tui.screens.rounds import RoundsScreen
from fedtui.tui.widgets.table import Table


def rounds(first: int, last: int, at: float = 0.0) -> tuple[PastRound, ...]:
    return tuple(
        PastRound(number=n, attempt=1, outcome="counted", ended_at=at + n)
        for n in range(first, last + 1)
    )


def answers(
    app: FedtuiApp, monkeypatch: pytest.MonkeyPatch, what: tuple[PastRound, ...] | None
) -> list[int]:
    asked: list[int] = []

    async def history(limit: int = 100) -> tuple[PastRound, ...]:
        asked.append(limit)
        if what is None:
            raise Refused("not now")
        return what[-limit:]

    monkeypatch.setattr(app.controls, "history", history)
    return asked


def hear(app: FedtuiApp, past: tuple[PastRound, ...], federation: str = "") -> None:
    status = app.store.live.status
    assert status.plan is not None
    plan = replace(status.plan, federation=federation or status.plan.federation)
    app.store.heard(replace(status, rounds=past, plan=plan))


def numbers(app: FedtuiApp) -> list[int]:
    return [int(row[1][0][0]) for row in app.screen.query_one(Table)._filled]


async def test_rounds_that_the_status_drops_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    app = screen_of(a_status.normal())
    answers(app, monkeypatch, None)
    async with running(app, mode="rounds") as pilot:
        for newest in (11, 12, 13):
            hear(app, rounds(newest - 3, newest))
            await drawn(app, pilot)
        assert numbers(app) == list(range(13, 0, -1))


async def test_what_passed_while_others_were_shown_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = screen_of(a_status.normal())
    async with running(app, mode="rounds") as pilot:
        await pilot.press("1")
        asked = answers(app, monkeypatch, rounds(1, 40))
        await pilot.press("3", "1")
        assert asked == [], "nothing passed"
        hear(app, rounds(37, 40))
        await pilot.press("3")
        await drawn(app, pilot)
        assert numbers(app) == list(range(40, 0, -1))


async def test_a_history_that_was_refused_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = screen_of(replace(a_status.normal(), rounds=rounds(9, 11)))
    answers(app, monkeypatch, None)
    async with running(app, mode="rounds") as pilot:
        assert numbers(app) == [11, 10, 9]
        answers(app, monkeypatch, rounds(1, 11))
        await pilot.press("1", "3")
        await drawn(app, pilot)
        assert numbers(app) == list(range(11, 0, -1))


@pytest.mark.parametrize("federation", ["", "schools"])
async def test_rounds_of_the_run_before_are_none_of_the_next(
    federation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = screen_of(a_status.normal())
    async with running(app, mode="rounds") as pilot:
        hear(app, rounds(8, 11))
        await drawn(app, pilot)
        both = (*app.screen._history, *rounds(1, 2, at=1e9))  # type: ignore[attr-defined]
        asked = answers(app, monkeypatch, both)
        hear(app, rounds(1, 2, at=1e9), federation)
        await drawn(app, pilot)
        await drawn(app, pilot)
        assert len(asked) == 1
        assert numbers(app) == [2, 1]


async def test_a_node_that_begins_anew_and_tells_its_rounds_later_loses_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = screen_of(a_status.normal())
    async with running(app, mode="rounds") as pilot:
        known = app.store.live.status.rounds
        for told in ((), known[-4:-2], known[-4:]):
            hear(app, told)
            await drawn(app, pilot)
        assert numbers(app) == list(range(11, 0, -1))
        answers(app, monkeypatch, known)
        await pilot.press("1", "3")
        await drawn(app, pilot)
        assert numbers(app) == list(range(11, 0, -1))


async def test_the_round_that_enter_was_pressed_on_opens_also_if_rows_moved() -> None:
    app = screen_of(a_status.normal())
    async with running(app, mode="rounds") as pilot:
        screen, table = app.screen, app.screen.query_one(Table)
        assert isinstance(screen, RoundsScreen)
        await pilot.press("down", "down")
        table.action_cursor_open()
        hear(app, (*app.store.live.status.rounds, *rounds(12, 12)))
        screen.show(app.store.view())  # before the message is handled
        await pilot.pause()
        assert isinstance(app.screen, RoundDetail)
        assert "Round 9" in text_of(app)


@pytest.mark.parametrize("mode", ["rounds", "federation"])
async def test_whoever_left_joins_by_j_also_from_rows(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = a_status.normal()
    app = screen_of(replace(status, plan=None, coordinator=None, state="idle"))
    async with running(app, mode=mode) as pilot:
        table = app.screen.query_one(Table)
        assert table.row_count
        table.focus()
        given: list[str] = []
        monkeypatch.setattr(app, "give", given.append)
        await pilot.press("j")
        assert given == ["join"]
        assert table.cursor_row == 0
