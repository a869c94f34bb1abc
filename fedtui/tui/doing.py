"""What the commands of the table do: each a function of the app, found by the command's `does`.

Those that the node must carry out are awaited in a worker of the app, and a refusal is told with
what to do; those of the display change only the screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui.tui import wording
from fedtui.tui.modals.doors import DOORS
from fedtui.tui.onscreen import ONSCREEN
from fedtui.tui.wishes import WISHES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fedtui.tui.app import FedtuiApp

    Doing = Callable[[FedtuiApp, str], Awaitable[None]]


async def pause(app: FedtuiApp, _: str) -> None:
    await app.controls.pause()
    app.say("paused after this batch; nothing leaves until you resume")


async def pause_for(app: FedtuiApp, seconds: str) -> None:
    until = app.store.live.now + float(seconds)
    await app.controls.pause(until)
    app.say(f"paused until {wording.moment(until)}")


async def resume(app: FedtuiApp, _: str) -> None:
    await app.controls.resume()
    app.say("taking part again")


async def retry(app: FedtuiApp, _: str) -> None:
    await app.controls.retry()


async def withdraw(app: FedtuiApp, _: str) -> None:
    await app.controls.withdraw()
    app.say("consent withdrawn: the node sits out until you agree again")


async def acknowledge(app: FedtuiApp, _: str) -> None:
    for alarm in app.store.live.status.alarms:
        if not alarm.acknowledged:
            await app.controls.acknowledge(alarm.id)


async def freeze(app: FedtuiApp, _: str) -> None:
    still = app.store.freeze()
    app.say("the display stands still; data flows on" if still else "live again")
    app.refresh_view()


async def zoom(app: FedtuiApp, _: str) -> None:
    focused = app.screen.focused
    if app.screen.maximized is not None:
        app.screen.minimize()
    elif focused is not None:
        app.screen.maximize(focused)


async def mouse(app: FedtuiApp, _: str) -> None:
    app.capture_mouse_or_not(capture=not app.settings.mouse)
    app.say("the mouse is the screen's" if app.settings.mouse else "the terminal selects text")


async def suspend(app: FedtuiApp, _: str) -> None:
    app.action_suspend_process()


async def palette(app: FedtuiApp, _: str) -> None:
    app.action_command_palette()


DOING: dict[str, Doing] = {
    "pause": pause,
    "pause_for": pause_for,
    "resume": resume,
    "retry": retry,
    "withdraw": withdraw,
    "acknowledge": acknowledge,
    "freeze": freeze,
    "zoom": zoom,
    "mouse": mouse,
    "suspend": suspend,
    "palette": palette,
    **DOORS,
    **ONSCREEN,
    **WISHES,
}
