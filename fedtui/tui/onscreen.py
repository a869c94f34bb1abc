"""What commands do with what is on the screen: filter it, copy it, export it, scale its charts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fedtui.tui import exporting
from fedtui.tui.harmless import path_like
from fedtui.tui.screens.base import BaseScreen
from fedtui.tui.widgets.eventlog import EventLog
from fedtui.tui.widgets.filterbar import FilterBar
from fedtui.tui.widgets.pane import Pane
from fedtui.tui.widgets.table import Table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fedtui.tui.app import FedtuiApp

    Doing = Callable[[FedtuiApp, str], Awaitable[None]]


async def filter_lines(app: FedtuiApp, _: str) -> None:
    bars = app.screen.query(FilterBar)
    if not bars:
        await app.switch_mode("events")
        bars = app.screen.query(FilterBar)
    bars.first().open()


async def copy(app: FedtuiApp, _: str) -> None:
    text = copied(app)
    if not text:
        app.say("nothing to copy here: Tab to a pane first", severity="warning")
        return
    app.copy_to_clipboard(text)
    app.say(f"copied {len(text)} characters, if the terminal allows it (OSC 52)")


def copied(app: FedtuiApp) -> str:
    """What is selected with the mouse, else the value of the focused pane."""
    if selected := app.screen.get_selected_text():
        return selected
    focused = app.screen.focused
    if isinstance(focused, Table | EventLog):
        return focused.copied()
    return focused.value(app.store.view()) if isinstance(focused, Pane) else ""


async def export(app: FedtuiApp, _: str) -> None:
    screen, view = app.screen, app.store.view()
    found = screen.sheets(view) if isinstance(screen, BaseScreen) else ()
    folder = app.outside.exports
    try:
        paths = await asyncio.to_thread(exporting.write, folder, found, view.now)
    except OSError as error:
        app.say(
            f"not exported: {error.strerror or error} ({path_like(str(folder))})", severity="error"
        )
        return
    if not paths:
        app.say("nothing to export here yet", severity="warning")
        return
    names = ", ".join(path.name for path in paths)
    app.say(f"exported to {path_like(str(folder.absolute()))}: {names}")


async def log_scale(app: FedtuiApp, _: str) -> None:
    app.apply(replace(app.settings, log_scale=not app.settings.log_scale))


ONSCREEN: dict[str, Doing] = {
    "filter": filter_lines,
    "copy": copy,
    "export": export,
    "log_scale": log_scale,
}
