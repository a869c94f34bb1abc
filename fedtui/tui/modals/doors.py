"""Doors: which command of the table opens which modal, and what follows from its answer.

A modal is imported when it is opened: reading them all would take a third of the screen's start.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fedtui.tui.app import FedtuiApp

    Door = Callable[[FedtuiApp, str], Awaitable[None]]


async def join(app: FedtuiApp, _: str) -> None:
    from fedtui.tui.modals.join.wizard import JoinWizard  # noqa: PLC0415

    await app.push_screen(JoinWizard())


async def leave(app: FedtuiApp, _: str) -> None:
    from fedtui.tui.modals.leave import Leave  # noqa: PLC0415

    how = await app.push_screen_wait(Leave(app.store.live.status))
    if how is not None:
        app.say("you leave when this round is over" if how == "after" else "left the federation")


async def panic(app: FedtuiApp, _: str) -> None:
    from fedtui.tui.modals.confirm import StopSharing  # noqa: PLC0415

    if await app.push_screen_wait(StopSharing()):
        app.say("stopped sharing: nothing leaves until you resume")


async def throttle(app: FedtuiApp, _: str) -> None:
    from fedtui.tui.modals.throttle import Throttle  # noqa: PLC0415

    if await app.push_screen_wait(Throttle()) is not None:
        app.say("these are your limits now")


async def throttle_to(app: FedtuiApp, percent: str) -> None:
    limits = replace(app.store.live.status.limits, cpu_percent=int(percent))
    await app.controls.limit(limits)
    app.say(f"the trainer may use {percent} % of its cores")


async def ledger(app: FedtuiApp, _: str) -> None:
    from fedtui.tui.modals.ledger import Ledger  # noqa: PLC0415

    await app.push_screen(Ledger())


async def identity(app: FedtuiApp, _: str) -> None:
    from fedtui.tui.modals.identity import Identity  # noqa: PLC0415

    await app.push_screen(Identity())


async def consent(app: FedtuiApp, _: str) -> None:
    from fedtui.tui.modals.consent import Consent  # noqa: PLC0415

    await app.push_screen(Consent())


async def alarm(app: FedtuiApp, _: str) -> None:
    from fedtui.tui.modals.alarm import AlarmDetail  # noqa: PLC0415

    await app.push_screen(AlarmDetail())


async def settings(app: FedtuiApp, _: str) -> None:
    from fedtui.tui.modals.settings import SettingsForm  # noqa: PLC0415

    await app.push_screen(SettingsForm(app.settings))


async def help_(app: FedtuiApp, _: str) -> None:
    from fedtui.tui.modals.help import Help  # noqa: PLC0415

    focused = app.screen.focused
    says = str(getattr(focused, "HELP", "") or "") if focused is not None else ""
    pane = str(focused.border_title or "") if focused is not None else ""
    await app.push_screen(Help(pane=pane, says=says))


async def stop(app: FedtuiApp, _: str) -> None:
    from fedtui.tui.modals.confirm import StopNode  # noqa: PLC0415

    if await app.push_screen_wait(StopNode(app.store.live.status)):
        app.exit()


async def detach(app: FedtuiApp, _: str) -> None:
    """Close the screen; the first time, say that the node goes on without it."""
    from fedtui.tui.modals.confirm import Detach  # noqa: PLC0415

    status = app.store.live.status
    if app.settings.detach_asks and status.pid:
        if await app.push_screen_wait(Detach(status)) is None:
            return
        app.apply(replace(app.settings, detach_asks=False))
    app.exit()


def alert(app: FedtuiApp) -> None:
    """Open what must be seen, over a screen and never over another modal."""
    status = app.store.live.status
    found = app.alerts.another_key(status)
    if found is not None:
        from fedtui.tui.modals.alarm import FingerprintAlert  # noqa: PLC0415

        _ = app.push_screen(FingerprintAlert(found))
    elif app.alerts.another_plan(status):
        from fedtui.tui.modals.consent import ConsentChange  # noqa: PLC0415

        _ = app.push_screen(ConsentChange(status), partial(_review, app))


def _review(app: FedtuiApp, now: bool | None) -> None:
    if now:
        app.give("join")


DOORS: dict[str, Door] = {
    "join": join,
    "leave": leave,
    "panic": panic,
    "throttle": throttle,
    "throttle_to": throttle_to,
    "ledger": ledger,
    "identity": identity,
    "consent": consent,
    "alarm": alarm,
    "settings": settings,
    "help": help_,
    "stop": stop,
    "detach": detach,
}
