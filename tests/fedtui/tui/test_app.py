"""The screen outlives a node that dies before it answers."""

from collections.abc import AsyncIterator

import a_status
import pytest
from a_screen import drawn, running, screen_of, text_of

from fedtui.status import NodeStatus, Refused
from fedtui.tui import app as app_module


async def test_a_node_that_dies_before_it_answers_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app_module, "AGAIN_S", 0.0)
    app = screen_of(a_status.normal())
    real, tries = app.controls.watch, []

    async def watch() -> AsyncIterator[NodeStatus]:
        tries.append(app.store.live.lost_at)
        if len(tries) < 3:
            raise Refused("no node runs")
        async for status in real():
            yield status

    app.controls.watch = watch  # type: ignore[method-assign]
    async with running(app) as pilot:
        while len(tries) < 3:
            await pilot.pause()
        await drawn(app, pilot)
        assert "alder-ws" in text_of(app)
        assert tries[0] is None
        assert tries[1] is not None, "it said that the node is lost"


async def test_a_tick_while_the_app_closes_draws_nothing_and_fails_at_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = screen_of(a_status.normal())
    real = app._close_messages

    async def close(*waits: bool) -> None:
        app.refresh_view()  # its screens are gone
        await real(*waits)

    async with running(app):
        monkeypatch.setattr(app, "_close_messages", close)
