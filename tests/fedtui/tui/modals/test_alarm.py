"""Alarms in full; and the alert that another key answered, which nothing passes by."""

import a_status
import pytest
from a_screen import done, drawn, running, screen_of, text_of
from msgspec.structs import replace
from textual.widgets import Button

from fedtui.status import Alarm, NodeStatus, Refused
from fedtui.tui.modals.alarm import AlarmDetail, FingerprintAlert, in_full, waiting

KEY = Alarm(
    id=3,
    at=a_status.NOW,
    kind="key changed",
    text="clinic-coord presented a DIFFERENT key",
    remedy="stay disconnected; to accept it: a new invite, or fedtui trust replace",
    detail=(
        "pinned: BK6L-UZEO-PLUP-UBBR-AAAA-BBBB-CCCC-DDDD",
        "the coordinator has ZZZZ-YYYY-XXXX-WWWW",
    ),
)


def with_alarms(*alarms: Alarm) -> NodeStatus:
    return replace(a_status.normal(), alarms=alarms)


async def test_a_acknowledges_one_after_the_other_and_then_it_is_over() -> None:
    first, second = a_status.alarm().alarms[0], replace(KEY, id=2, kind="disk", text="disk full")
    app = screen_of(with_alarms(first, second))
    async with running(app) as pilot:
        app.give("alarm")
        await done(app)
        await pilot.pause()
        assert "disk full" in text_of(app)
        await pilot.press("a")
        await pilot.pause()
        top = app.screen
        assert isinstance(top, AlarmDetail)
        top.shown(app.store.live)
        await pilot.pause()
        assert "expected 1,200,000 bytes" in text_of(app)
        await pilot.press("a")
        await pilot.pause()
        assert not isinstance(app.screen, AlarmDetail)
        assert waiting(app.store.live.status) == ()


def test_an_alarm_in_full() -> None:
    text = in_full(a_status.alarm().alarms[0]).plain
    for words in ("12:04:46", "refused", "the third refusal", "got 1,199,996 bytes"):
        assert words in text


@pytest.mark.parametrize("size", [(40, 12), (80, 24)])
async def test_another_key_blocks_until_the_operator_stays_away(size: tuple[int, int]) -> None:
    app = screen_of(with_alarms(KEY))
    async with running(app, size) as pilot:
        await drawn(app, pilot)
        assert isinstance(app.screen, FingerprintAlert)
        for key in ("escape", "q", "j", "p"):
            await pilot.press(key)
            await pilot.pause()
            assert isinstance(app.screen, FingerprintAlert)
        said = "\n".join(str(one.said) for one in app.screen.query("#modal-body Words").results())  # type: ignore[attr-defined]
        trusted, answered = said.split("what answered there now")
        assert "BK6L-UZEO-PLUP-UBBR" in trusted
        assert "ZZZZ-YYYY-XXXX-WWWW" in answered
        assert "BK6L" not in answered, "each key once"
        assert said.count("DIFFERENT key") == 1
        assert "fedtui trust replace" in said
        assert "Nothing was sent" in said
        assert len(app.screen.query("Choice")) == 1
        await pilot.press("enter")
        await pilot.pause()
        await drawn(app, pilot)
        assert not isinstance(app.screen, FingerprintAlert)


async def test_words_of_the_trusted_key_come_when_they_are_made() -> None:
    app = screen_of(replace(with_alarms(KEY), coordinator=None))
    async with running(app) as pilot:
        await drawn(app, pilot)
        top = app.screen
        assert isinstance(top, FingerprintAlert)
        trusted = a_status.normal().coordinator
        assert trusted is not None
        app.store.heard(replace(with_alarms(KEY), coordinator=replace(trusted, words=("amber",))))
        top.shown(app.store.live)
        await pilot.pause()
        assert "amber" in text_of(app)


async def test_after_another_key_was_trusted_it_still_shows_the_one_of_the_alarm() -> None:
    trusted = a_status.normal().coordinator
    assert trusted is not None
    now = replace(trusted, fingerprint="ZZZZ-YYYY-XXXX-WWWW", words=("amber",))
    app = screen_of(replace(with_alarms(KEY), coordinator=now))
    async with running(app) as pilot:
        await drawn(app, pilot)
        said = "\n".join(str(one.said) for one in app.screen.query("#modal-body Words").results())  # type: ignore[attr-defined]
        trusted_then, answered = said.split("what answered there now")
        assert "BK6L-UZEO-PLUP-UBBR" in trusted_then
        assert "ZZZZ" not in trusted_then
        assert "amber" not in trusted_then
        assert "ZZZZ-YYYY-XXXX-WWWW" in answered


async def test_it_does_not_hold_the_screen_where_the_node_refuses_to_listen() -> None:
    async def refuse(alarm_id: int) -> None:
        raise Refused("view only")

    app = screen_of(with_alarms(KEY))
    app.controls.acknowledge = refuse  # type: ignore[method-assign]
    async with running(app) as pilot:
        await drawn(app, pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert "view only" in text_of(app)
        app.screen.query_one("#stay", Button).press()  # a key is not heard while it lights up
        await drawn(app, pilot)
        assert not isinstance(app.screen, FingerprintAlert)
