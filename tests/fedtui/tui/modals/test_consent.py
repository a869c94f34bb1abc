"""What was agreed to, its receipt, withdrawing it; and the notice that the plan changed."""

from pathlib import Path

import a_status
from a_screen import done, drawn, running, screen_of, text_of
from fake_node import FakeNode
from msgspec.structs import replace

from fedtui.tui.modals.consent import ConsentChange, receipt_lines
from fedtui.tui.modals.join.wizard import JoinWizard
from fedtui.tui.modals.saving import SaveAs


async def test_the_receipt_and_the_form_are_shown() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        app.give("consent")
        await done(app)
        await pilot.pause()
        text = text_of(app)
        assert "You agreed on 2026-11-20" in text
        assert a_status.RECEIPT.data_digest in text
        assert "who can read it" in text


async def test_withdrawing_asks_nothing_for_agreeing_again_is_possible() -> None:
    app = screen_of(a_status.normal())
    async with running(app) as pilot:
        app.give("consent")
        await done(app)
        await pilot.pause()
        app.screen.query_one("#withdraw").focus()
        await pilot.press("enter")
        await pilot.pause()
        assert not app.store.live.status.consented


async def test_it_is_exported_with_its_receipt(tmp_path: Path) -> None:
    app = screen_of(a_status.normal(), exports=tmp_path)
    async with running(app) as pilot:
        app.give("consent")
        await done(app)
        await pilot.pause()
        app.screen.query_one("#export").focus()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, SaveAs)
        await pilot.press("enter")
        while isinstance(app.screen, SaveAs):
            await pilot.pause(0.01)
        text = (tmp_path / "consent.txt").read_text()
        assert "You agreed on 2026-11-20" in text


def test_without_a_receipt_it_says_so() -> None:
    assert "nobody here has agreed" in receipt_lines(None).plain


CHANGED = replace(
    a_status.normal(),
    state="asking",
    consented=False,
    plan=replace(a_status.PLAN, differs=("the model is twice as big",)),
)


async def test_a_changed_plan_opens_by_itself_once_and_leads_to_the_form() -> None:
    app = screen_of(CHANGED)
    async with running(app) as pilot:
        assert isinstance(app.screen, ConsentChange)
        assert "the model is twice as big" in text_of(app)
        await pilot.press("right", "enter")
        await done(app)
        await pilot.pause()
        assert isinstance(app.screen, JoinWizard)
        assert "5/6" in text_of(app)
        await pilot.press("escape", "escape", "escape", "escape")
        await drawn(app, pilot)
        assert not isinstance(app.screen, ConsentChange)


async def test_later_is_the_default_and_agrees_to_nothing() -> None:
    app = screen_of(CHANGED)
    async with running(app) as pilot:
        await pilot.press("enter")
        await drawn(app, pilot)
        assert not isinstance(app.screen, ConsentChange | JoinWizard)
        assert isinstance(app.controls, FakeNode)
        assert not app.controls.board.status.consented
