"""The join wizard over a fake node: every way in, every way that must not be one."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import a_status
import fake_node
import pytest
from a_screen import screen_of, text_of
from fake_node import FakeNode
from msgspec.structs import replace
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input

from fedtui.status import (
    CheckReport,
    FoundCoordinator,
    Limits,
    NodeStatus,
    PlanSeen,
    Problem,
    ProblemSeen,
    Setup,
    StateChanged,
)
from fedtui.tui.app import FedtuiApp
from fedtui.tui.modals.join.machine import Step
from fedtui.tui.modals.join.wizard import JoinWizard
from fedtui.tui.modals.saving import SaveAs

FOUND = (
    FoundCoordinator(name="clinics", address="192.168.1.20:8443", federation="mnist"),
    FoundCoordinator(
        name="clinics",
        address="192.168.1.93:8443",
        federation="mnist",
        standing="same name, other key",
    ),
)
INVITE = "fedtui1:c2VjcmV0LW9mLXRoZS1pbnZpdGU"


def second_and_third(count: int) -> int:
    return min(count - 1, 1)


def node_of(app: FedtuiApp) -> FakeNode:
    assert isinstance(app.controls, FakeNode)
    return app.controls


def wizard_of(app: FedtuiApp) -> JoinWizard:
    found = [one for one in app.screen_stack if isinstance(one, JoinWizard)]
    return found[-1]


@asynccontextmanager
async def joining(
    status: NodeStatus,
    *,
    found: tuple[FoundCoordinator, ...] = FOUND,
    size: tuple[int, int] = (80, 24),
    before: Callable[[FakeNode], None] = lambda _: None,
) -> AsyncIterator[tuple[FedtuiApp, Pilot[None]]]:
    app = screen_of(status)
    node_of(app).found = found
    before(node_of(app))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await app.push_screen(JoinWizard(below=second_and_third))
        await settled(app, pilot)
        yield app, pilot


async def settled(app: FedtuiApp, pilot: Pilot[None]) -> None:
    """What the wizard asked of the node was answered, and is drawn."""
    await pilot.pause()
    for one in [one for one in app.workers if one.group == "effect"]:
        await app.workers.wait_for_complete([one])
    await pilot.pause()


async def give(app: FedtuiApp, pilot: Pilot[None], field: str, text: str) -> None:
    line = app.screen.query_one(field, Input)
    line.focus()
    line.value = text
    await pilot.press("enter")
    await settled(app, pilot)


async def press(app: FedtuiApp, pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(app, pilot)


async def to_data(app: FedtuiApp, pilot: Pilot[None]) -> None:
    await press(app, pilot, "enter")
    await give(app, pilot, "#first", "fjord")
    await give(app, pilot, "#second", "Kettle")
    await press(app, pilot, "enter")
    assert wizard_of(app).wizard.step is Step.DATA


async def to_consent(app: FedtuiApp, pilot: Pilot[None]) -> None:
    await to_data(app, pilot)
    await give(app, pilot, "#data", "/data/mine")
    await press(app, pilot, "enter")
    assert wizard_of(app).wizard.step is Step.LIMITS
    await give(app, pilot, "#max_upload_mb_per_day", "500")
    assert wizard_of(app).wizard.step is Step.CONSENT


async def test_found_on_the_network_verified_by_words_tried_limited_agreed() -> None:
    async with joining(a_status.empty()) as (app, pilot):
        assert "SAME NAME, OTHER KEY" in text_of(app)
        await to_consent(app, pilot)
        node = node_of(app)
        assert node.joined_at == [("192.168.1.20:8443", "ef" * 32)]
        assert node.choices == [Setup(data="/data/mine")]
        assert node.board.status.limits == Limits(max_upload_mb_per_day=500)
        text = text_of(app)
        assert "visible; read by the coordinator" in text
        assert "NEVER: your examples" in text
        await give(app, pilot, "#agree", "share")
        assert node.board.status.consented
        assert "waiting for the next round" in text_of(app)
        await press(app, pilot, "enter")
        assert not isinstance(app.screen, JoinWizard)


async def test_our_words_are_hidden_until_those_of_the_other_screen_are_typed() -> None:
    async with joining(a_status.empty()) as (app, pilot):
        await press(app, pilot, "enter")
        words = node_of(app).probed.words
        print_ = node_of(app).probed.fingerprint
        assert "word 2 of 6" in text_of(app)
        assert "word 3 of 6" in text_of(app)
        for _ in range(3):
            text = text_of(app)
            assert not any(word in text for word in words)
            assert print_[:9] not in text
            await give(app, pilot, "#first", "quill")
            await give(app, pilot, "#second", "onyx")
        assert "too often wrong" in text_of(app)
        assert not any(word in text_of(app) for word in words)
        assert not app.screen.query_one("#continue").display
        assert node_of(app).joined_at == []
        await press(app, pilot, "escape")
        assert wizard_of(app).wizard.step is Step.FIND


async def test_words_that_pass_are_shown_and_lead_on() -> None:
    async with joining(a_status.empty()) as (app, pilot):
        await press(app, pilot, "enter")
        await give(app, pilot, "#first", "fjord")
        await give(app, pilot, "#second", "kettle")
        assert "amber fjord kettle maple onyx quill" in text_of(app)
        assert app.screen.query_one("#continue").has_focus


async def test_the_same_name_with_another_key_is_said_again_before_words_are_typed() -> None:
    async with joining(a_status.empty()) as (app, pilot):
        node_of(app).probed = replace(node_of(app).probed, address=FOUND[1].address)
        await press(app, pilot, "down", "enter")
        assert "with ANOTHER key" in text_of(app)


async def test_an_invite_pasted_needs_no_compare_and_is_never_shown() -> None:
    async with joining(a_status.empty(), found=()) as (app, pilot):
        assert "Nothing found?" in text_of(app)
        line = app.screen.query_one("#invite", Input)
        line.focus()
        line.post_message(Paste(f" {INVITE[:12]}\n{INVITE[12:]} \n"))
        await pilot.pause()
        assert INVITE[-8:] not in text_of(app)
        await press(app, pilot, "enter")
        assert "no compare needed" in text_of(app)
        assert INVITE[-8:] not in app.export_screenshot()
        await press(app, pilot, "enter")
        await give(app, pilot, "#data", "")
        assert node_of(app).invites == [INVITE]


async def test_an_invite_pasted_anywhere_is_taken() -> None:
    async with joining(a_status.empty()) as (app, pilot):
        app.screen.query_one("#found").focus()
        app.screen.post_message(Paste(INVITE))
        await settled(app, pilot)
        await settled(app, pilot)
        assert wizard_of(app).wizard.step is Step.VERIFY


async def test_an_invite_from_the_clipboard_or_none() -> None:
    async with joining(a_status.empty()) as (app, pilot):
        await press(app, pilot, "c")
        assert app.screen.query_one("#invite").has_focus
        app.copy_to_clipboard(INVITE)
        app.screen.query_one("#found").focus()
        await press(app, pilot, "c")
        assert wizard_of(app).wizard.step is Step.VERIFY


async def test_a_bad_invite_is_refused_in_place_with_what_to_do() -> None:
    async with joining(a_status.empty()) as (app, pilot):
        await give(app, pilot, "#invite", "hello")
        text = text_of(app)
        assert "this is no invite" in text
        assert "ask for another" in text
        assert wizard_of(app).wizard.step is Step.FIND


async def test_an_invite_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "invite.txt").write_text(INVITE + "\n")
    monkeypatch.chdir(tmp_path)
    async with joining(a_status.empty()) as (app, pilot):
        await pilot.press("o")
        await pilot.pause()
        picker = app.screen
        assert not isinstance(picker, JoinWizard)
        picker.dismiss(tmp_path / "invite.txt")
        for one in [one for one in app.workers if one.group == "picker"]:
            await app.workers.wait_for_complete([one])
        await settled(app, pilot)
        assert wizard_of(app).wizard.step is Step.VERIFY


async def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    async with joining(a_status.empty()) as (app, pilot):
        await pilot.press("o")
        await pilot.pause()
        app.screen.dismiss(tmp_path / "x")
        for one in [one for one in app.workers if one.group == "picker"]:
            await app.workers.wait_for_complete([one])
        await settled(app, pilot)
        assert "cannot read" in text_of(app)


async def test_an_address_that_nobody_answers_at() -> None:
    async with joining(a_status.empty()) as (app, pilot):
        await press(app, pilot, "d")
        assert app.screen.query_one("#address").has_focus
        await give(app, pilot, "#address", "10.0.0.9:1")
        assert "nobody answers at 10.0.0.9:1" in text_of(app)
        await give(app, pilot, "#address", "somewhere")
        assert "as in 192.168.1.20:8443" in text_of(app)


async def test_another_version_says_what_to_do_and_sends_nothing() -> None:
    async with joining(a_status.empty()) as (app, pilot):
        node = node_of(app)
        node.probed = replace(node.probed, remedy="pip install -U fedtui")
        await press(app, pilot, "enter")
        assert "pip install -U fedtui" in text_of(app)
        assert not app.screen.query_one("#first").is_on_screen
        assert not app.screen.query_one("#continue").display


def bad_data(node: FakeNode) -> None:
    node.report = CheckReport(problems=("no such file: /data/mine",))


async def test_data_that_cannot_be_used_stops_there_and_another_is_tried() -> None:
    async with joining(a_status.empty(), before=bad_data) as (app, pilot):
        await to_data(app, pilot)
        await give(app, pilot, "#data", "/data/mine")
        assert "no such file" in text_of(app)
        assert app.screen.query_one("#continue").disabled
        node_of(app).report = CheckReport(warnings=("few of class 8",), facts=("6 samples",))
        await give(app, pilot, "#data", "/data/other")
        assert "few of class 8" in text_of(app)
        assert not app.screen.query_one("#continue").disabled
        assert [one.data for one in node_of(app).choices] == ["/data/mine", "/data/other"]


async def test_a_coordinator_that_refuses_is_told_in_place() -> None:
    async with joining(a_status.empty()) as (app, pilot):
        node = node_of(app)

        async def refused(address: str, coordinator_id: str) -> None:
            problem = Problem(text="the invite is used up", remedy="ask for another")
            node.board.post(ProblemSeen(problem=problem))

        node.join_at = refused  # type: ignore[method-assign]
        await to_data(app, pilot)
        await give(app, pilot, "#data", "")
        assert "the invite is used up" in text_of(app)
        assert wizard_of(app).wizard.step is Step.DATA


async def test_limits_that_cannot_be_are_told_in_place() -> None:
    async with joining(a_status.empty()) as (app, pilot):
        await to_data(app, pilot)
        await give(app, pilot, "#data", "")
        await press(app, pilot, "enter")
        await give(app, pilot, "#hours", "at night")
        assert "20:00-07:00" in text_of(app)
        assert wizard_of(app).wizard.step is Step.LIMITS


async def test_nothing_but_the_word_agrees_and_escape_agrees_to_nothing() -> None:
    async with joining(a_status.empty()) as (app, pilot):
        await to_consent(app, pilot)
        await give(app, pilot, "#agree", "yes")
        assert "type the word share" in text_of(app)
        await press(app, pilot, "escape")
        assert wizard_of(app).wizard.step is Step.LIMITS
        assert not node_of(app).board.status.consented


async def test_a_plan_that_changes_meanwhile_clears_what_was_typed_and_shows_the_diff() -> None:
    async with joining(a_status.empty()) as (app, pilot):
        await to_consent(app, pilot)
        app.screen.query_one("#agree", Input).value = "share"
        plan = replace(fake_node.PLAN, plan_hash="cd" * 32, differs=("the model is twice as big",))
        node_of(app).board.post(PlanSeen(plan=plan, consented=False))
        await pilot.pause()
        wizard_of(app).shown(app.store.live)
        await settled(app, pilot)
        await settled(app, pilot)
        assert app.screen.query_one("#agree", Input).value == ""
        assert "the model is twice as big" in text_of(app)
        await give(app, pilot, "#agree", "share")
        assert node_of(app).board.status.plan == plan


async def test_the_full_form_and_its_export(tmp_path: Path) -> None:
    async with joining(a_status.empty()) as (app, pilot):
        await to_consent(app, pilot)
        app.screen.query_one("#read").focus()
        await press(app, pilot, "enter")
        assert app.screen.query_one("#full").display
        await press(app, pilot, "e")
        await give(app, pilot, "#path", str(tmp_path / "form.txt"))
        while isinstance(app.screen, SaveAs):
            await pilot.pause(0.01)
        assert "NEVER: your examples" in (tmp_path / "form.txt").read_text()


async def test_a_node_that_must_be_approved_says_what_to_tell() -> None:
    status = replace(
        a_status.normal(), state="pending", sentence="waiting for approval", round=a_status.Round()
    )
    async with joining(status) as (app, pilot):
        await pilot.pause()
        wizard_of(app).shown(app.store.live)
        await settled(app, pilot)
        await pilot.pause()
        text = text_of(app)
        assert "brisk cedar dune ember flint grove" in text
        assert "QWER-TYUI-OPAS-DFGH" in text


async def test_the_wizard_goes_on_where_the_node_is_after_a_detach() -> None:
    asking = replace(a_status.normal(), state="asking", consented=False)
    async with joining(asking) as (app, pilot):
        assert wizard_of(app).wizard.step is Step.DATA
        assert "4 examples" in text_of(app)
        node_of(app).board.post(StateChanged(state="asking", sentence="still"))
        await press(app, pilot, "escape")
        assert not isinstance(app.screen, JoinWizard)
        await pilot.press("j")
        await settled(app, pilot)
        assert wizard_of(app).wizard.step is Step.DATA


async def test_hostile_names_are_only_drawn() -> None:
    bad = "".join(a_status.HOSTILE[:5])
    found = (FoundCoordinator(name=bad, address="192.168.1.20:8443", federation=bad, version=bad),)

    def hostile(node: FakeNode) -> None:
        node.probed = replace(node.probed, label=bad)
        node.report = CheckReport(facts=a_status.HOSTILE, warnings=a_status.HOSTILE)

    async with joining(a_status.empty(), found=found, before=hostile) as (app, pilot):
        for _ in range(2):
            text = text_of(app)
            assert not any(sign in text for sign in ("\x1b", "\x07", "\u202e", "\x9b"))
            assert "[31mred[0m" in text
            await press(app, pilot, "enter")
        await give(app, pilot, "#first", "fjord")
        await give(app, pilot, "#second", "kettle")
        await press(app, pilot, "enter")
        await give(app, pilot, "#data", "")
        assert "\x1b" not in text_of(app)


@pytest.mark.parametrize("size", [(40, 12), (60, 18), (120, 36)])
async def test_it_can_be_walked_through_at_every_size(size: tuple[int, int]) -> None:
    async with joining(a_status.empty(), size=size) as (app, pilot):
        await to_consent(app, pilot)
        assert "Esc" in text_of(app)
        focused = app.screen.focused
        assert focused is not None
        assert focused.id == "agree"
        await give(app, pilot, "#agree", "share")
        assert node_of(app).board.status.consented
