"""What the palette's commands without a form do: set one thing, copy one, write one file."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

import msgspec
from msgspec.structs import replace

from fedtui import __version__
from fedtui.tui import exporting, wording
from fedtui.tui.diagnostics import of
from fedtui.tui.harmless import path_like

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fedtui.status import Run
    from fedtui.tui.app import FedtuiApp
    from fedtui.tui.settings import GlyphName

    Doing = Callable[[FedtuiApp, str], Awaitable[None]]


def next_time(text: str, now: float) -> float:
    """UTC seconds of the next local HH:MM after `now`."""
    here = datetime.fromtimestamp(now).astimezone()
    hour, minute = text.split(":")
    found = here.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    return (found if found > here else found + timedelta(days=1)).timestamp()


async def pause_until(app: FedtuiApp, text: str) -> None:
    until = next_time(text, app.store.live.now)
    await app.controls.pause(until)
    app.say(f"paused until {wording.day(until)} {wording.moment(until)}")


async def leave_after(app: FedtuiApp, _: str) -> None:
    await app.controls.leave(after_round=True)
    app.say("you leave when this round is over; its update counts")


async def limit_run(app: FedtuiApp, word: str) -> None:
    limits = replace(app.store.live.status.limits, run=cast("Run", word))
    await app.controls.limit(limits)
    app.say(f"takes part: {word}")


async def limit_hours(app: FedtuiApp, hours: str) -> None:
    await app.controls.limit(replace(app.store.live.status.limits, hours=hours))
    app.say(f"takes part from {hours.replace('-', ' to ')}")


async def copy_words(app: FedtuiApp, _: str) -> None:
    words = " ".join(await app.controls.words())
    app.copy_to_clipboard(words)
    app.say(f"copied: {words}")


async def copy_id(app: FedtuiApp, _: str) -> None:
    app.copy_to_clipboard(app.store.live.status.node_id)
    app.say("copied this node's id")


async def theme(app: FedtuiApp, name: str) -> None:
    app.apply(replace(app.settings, theme=name))


async def glyphs(app: FedtuiApp, name: str) -> None:
    app.apply(replace(app.settings, glyphs=cast("GlyphName", name)))


async def refresh(app: FedtuiApp, hz: str) -> None:
    app.apply(replace(app.settings, hz=float(hz)))


async def screenshot(app: FedtuiApp, _: str) -> None:
    await _written(app, "screen", ".svg", app.export_screenshot(title="fedtui"))


async def diagnostics(app: FedtuiApp, _: str) -> None:
    found = of(app.store.live.status)
    text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
    await _written(app, "diagnostics", ".json", f"{text}\n")


async def about(app: FedtuiApp, _: str) -> None:
    status = app.store.live.status
    up = wording.span(app.store.live.now - status.started_at) if status.started_at else "-"
    app.say(f"screen {__version__}, node {status.version}, pid {status.pid}, up {up}")


async def _written(app: FedtuiApp, stem: str, ending: str, text: str) -> None:
    folder, now = app.outside.exports, app.store.live.now
    try:
        path = await asyncio.to_thread(exporting.write_text, folder, (stem, ending), text, now)
    except OSError as error:
        why = f"not written: {error.strerror or error} ({path_like(str(folder))})"
        app.say(why, severity="error")
        return
    app.say(f"written to {path_like(str(path.absolute()))}")


WISHES: dict[str, Doing] = {
    "pause_until": pause_until,
    "leave_after": leave_after,
    "limit_run": limit_run,
    "limit_hours": limit_hours,
    "copy_words": copy_words,
    "copy_id": copy_id,
    "theme": theme,
    "glyphs": glyphs,
    "refresh": refresh,
    "screenshot": screenshot,
    "diagnostics": diagnostics,
    "about": about,
}
