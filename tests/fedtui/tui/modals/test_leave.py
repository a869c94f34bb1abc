"""Leave: two ways, what follows from each, Cancel by default."""

import a_status
import pytest
from a_screen import done, running, screen_of, text_of
from fake_node import FakeNode
from msgspec.structs import replace
from textual.widgets import Checkbox, RadioButton

from fedtui.status import NodeStatus
from fedtui.tui.modals.leave import Leave, consequences

NORMAL = a_status.normal()
FEW = replace(NORMAL, privacy=replace(NORMAL.privacy, cohort=5))


@pytest.mark.parametrize(
    ("status", "after", "says"),
    [
        (NORMAL, True, "Your update for round 12 still counts."),
        (NORMAL, False, "7 of 8 remain, threshold 5: the round can finish."),
        (FEW, False, "4 of 5 remain, threshold 5: the round CANNOT finish."),
        (a_status.alarm(), False, "is dropped; the others go on"),
        (a_status.offline(), False, "No round of yours"),
    ],
)
def test_what_follows(status: NodeStatus, after: bool, says: str) -> None:
    assert says in consequences(status, after_round=after)


async def test_enter_and_escape_leave_nothing() -> None:
    app = screen_of(NORMAL)
    for key in ("enter", "escape"):
        async with running(app) as pilot:
            await pilot.press("L")
            await pilot.pause()
            assert isinstance(app.screen, Leave)
            assert "the sums of your 9 rounds" in text_of(app)
            await pilot.press(key)
            await done(app)
            assert app.store.live.status.plan is not None
        app = screen_of(NORMAL)


async def test_after_the_round_is_what_is_chosen_while_one_runs() -> None:
    app = screen_of(NORMAL)
    async with running(app) as pilot:
        await pilot.press("L")
        await pilot.pause()
        await pilot.press("right", "enter")
        await done(app)
        assert isinstance(app.controls, FakeNode)
        assert app.controls.board.status.leaving


async def test_now_and_the_key_forgotten() -> None:
    app = screen_of(NORMAL)
    async with running(app) as pilot:
        await pilot.press("L")
        await pilot.pause()
        app.screen.query_one("#now", RadioButton).value = True
        app.screen.query_one("#forget", Checkbox).value = True
        await pilot.pause()
        assert "7 of 8 remain" in text_of(app)
        app.screen.query_one("#leave").focus()
        await pilot.press("enter")
        await done(app)
        assert isinstance(app.controls, FakeNode)
        assert app.controls.forgot
        assert app.controls.board.status.plan is None


async def test_without_a_round_only_now_can_be_chosen() -> None:
    app = screen_of(a_status.offline())
    async with running(app) as pilot:
        await pilot.press("L")
        await pilot.pause()
        assert app.screen.query_one("#after").disabled
        assert app.screen.query_one("#now", RadioButton).value
