"""The node's screen over a fake node, at the frozen time of a_status, to press and read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import a_status
from fake_node import FakeNode
from textual.pilot import Pilot

from fedtui.status import NodeStatus
from fedtui.tui.app import FedtuiApp
from fedtui.tui.outside import Outside
from fedtui.tui.settings import Settings
from node.board import Board


def screen_of(
    status: NodeStatus, settings: Settings | None = None, *, exports: Path = Path()
) -> FedtuiApp:
    """An app that is not running yet; its `controls` are a FakeNode with this status."""
    node = FakeNode(Board(status, clock=lambda: a_status.NOW))
    node.lines = status.ledger
    return FedtuiApp(
        node,
        clock=lambda: a_status.NOW,
        settings=settings or Settings(),
        outside=Outside(exports=exports),
    )


@asynccontextmanager
async def running(
    app: FedtuiApp, size: tuple[int, int] = (120, 36), mode: str = "overview"
) -> AsyncIterator[Pilot[None]]:
    """The app in a terminal of this size, on this screen, with its first picture drawn."""
    async with app.run_test(size=size, notifications=True) as pilot:
        if app.current_mode != mode:
            await app.switch_mode(mode)
        await drawn(app, pilot)
        yield pilot


async def drawn(app: FedtuiApp, pilot: Pilot[None]) -> None:
    """Everything that is known is on the screen."""
    await pilot.pause()
    app.refresh_view()
    await pilot.pause()


async def done(app: FedtuiApp) -> None:
    """Every command that was given is carried out."""
    given = [one for one in app.workers if one.group == "commands"]
    if given:  # of none, all would be awaited, and one never ends
        await app.workers.wait_for_complete(given)


def said(app: FedtuiApp) -> str:
    """What the toasts say."""
    return "\n".join(one.message for one in app._notifications)


def rows_of(app: FedtuiApp) -> list[str]:
    """What the terminal shows, row by row."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


def text_of(app: FedtuiApp) -> str:
    return "\n".join(rows_of(app))
