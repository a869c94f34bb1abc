"""Questions before what cannot be taken back: Cancel is what Enter does."""

import a_status
import pytest
from a_screen import done, running, screen_of, text_of
from fake_node import FakeNode
from msgspec.structs import replace

from fedtui.status import NodeStatus, PastRound, Refused, RoundMoved, RoundPassed
from fedtui.tui.app import FedtuiApp
from fedtui.tui.modals.confirm import Detach, StopNode, StopSharing, round_under_way


def node_of(app: FedtuiApp) -> FakeNode:
    assert isinstance(app.controls, FakeNode)
    return app.controls


@pytest.mark.parametrize("keys", [["enter"], ["escape"], ["n"], ["right", "escape"]])
async def test_stopping_the_node_is_cancelled_by_default(keys: list[str]) -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await pilot.press("Q")
        await pilot.pause()
        assert isinstance(app.screen, StopNode)
        await pilot.press(*keys, "escape")
        await done(app)
        assert not node_of(app).stopped
        assert app.is_running


async def test_stopping_now_drops_the_round() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await pilot.press("Q")
        await pilot.pause()
        assert "Your update for round 12 is under way" in text_of(app)
        await pilot.press("right", "right", "enter")
        await done(app)
        assert node_of(app).stopped


async def test_finishing_waits_for_the_round_and_can_be_called_off() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await pilot.press("Q")
        await pilot.pause()
        await pilot.press("right", "enter")
        await pilot.pause()
        assert "stops when round 12 is over" in text_of(app)
        assert not node_of(app).stopped
        await pilot.press("escape")
        await done(app)
        assert not node_of(app).stopped
        await pilot.press("Q")
        await pilot.pause()
        await pilot.press("right", "enter")
        past = PastRound(number=12, attempt=1, outcome="counted", ended_at=a_status.NOW)
        node_of(app).board.post(RoundPassed(past=past))
        await pilot.pause()
        question = app.screen
        assert isinstance(question, StopNode)
        question.shown(app.store.live)
        await done(app)
        assert node_of(app).stopped


@pytest.mark.parametrize("key", ["enter", "escape", "n", "Y", "space", "X"])
async def test_only_y_stops_sharing(key: str) -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await pilot.press("X")
        await pilot.pause()
        assert isinstance(app.screen, StopSharing)
        await pilot.press(key)
        assert not node_of(app).shared_stopped


async def test_y_stops_sharing() -> None:
    app = screen_of(a_status.offline())
    async with running(app) as pilot:
        await pilot.press("X")
        await pilot.pause()
        await pilot.press("y")
        await done(app)
        assert node_of(app).shared_stopped
        assert node_of(app).board.status.state == "paused"


async def test_a_refusal_is_shown_in_the_question_and_it_stays() -> None:
    async def refuse() -> None:
        raise Refused("the trainer does not end \x1b[31m", remedy="kill it: [bold]fedtui stop[/]")

    app = screen_of(a_status.normal())
    node_of(app).stop_sharing = refuse  # type: ignore[method-assign]
    async with running(app) as pilot:
        await pilot.press("X")
        await pilot.pause()
        await pilot.press("y")
        await pilot.pause()
        assert isinstance(app.screen, StopSharing)
        assert "the trainer does not end [31m" in text_of(app)
        assert "kill it: [bold]fedtui stop[/]" in text_of(app)


@pytest.mark.parametrize(
    ("keys", "ends", "stops", "asks"),
    [
        (["escape"], False, False, True),
        (["enter"], True, False, False),
        (["right", "enter"], True, True, False),
    ],
)
async def test_the_first_detach_asks_and_keeping_is_the_default(
    keys: list[str], ends: bool, stops: bool, asks: bool
) -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        await pilot.press("q")
        await pilot.pause()
        assert isinstance(app.screen, Detach)
        assert "pid 4121" in text_of(app)
        await pilot.press(*keys)
        await done(app)
        assert (app._exit, node_of(app).stopped) == (ends, stops)
        assert app.settings.detach_asks is asks


NORMAL = a_status.normal()


@pytest.mark.parametrize(
    ("status", "busy"),
    [
        (NORMAL, True),
        (a_status.empty(), False),
        (a_status.offline(), False),
        (replace(NORMAL, round=replace(NORMAL.round, sat_out="sampled 5 of 8")), False),
        (replace(NORMAL, round=RoundMoved(round=a_status.Round()).round), False),
    ],
)
def test_when_a_round_is_under_way(status: NodeStatus, busy: bool) -> None:
    assert round_under_way(status) is busy
