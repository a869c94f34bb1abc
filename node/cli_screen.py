"""`fedtui` alone and `fedtui watch`: the operator's screen, or its news as plain lines.

The screen is a client of the daemon: it starts one if none runs, attaches, and may end at any
moment without the node noticing. Textual is imported only here, and only when it is shown.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path  # noqa: TC003  typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from fedtui.control import recording, telling
from fedtui.control.attaching import attached, has_screen, surroundings
from fedtui.control.client import ControlClient
from fedtui.control.clock import utc
from fedtui.control.replay import Replay
from node import launch
from node.exits import Exit, Stop
from node.paths import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fedtui.status import NodeControls, NodeStatus
    from fedtui.tui.app import FedtuiApp
    from fedtui.tui.settings import Settings
    from node.paths import Profile


def watch(
    context: typer.Context,
    plain: Annotated[
        bool, typer.Option("--plain", help="Lines instead of a screen: pipes, screen readers.")
    ] = False,
    socket: Annotated[
        Path | None,
        typer.Option(help="A node's control socket, as brought here by ssh -L.", metavar="PATH"),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Also write what is seen to a new file.", metavar="FILE")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Show a recording instead of a node.", metavar="FILE")
    ] = None,
) -> None:
    """Watch the node: the screen, or plain lines; either ends without touching the node."""
    home: Profile = context.obj
    plain = plain or not has_screen()
    if replay is not None:
        _show_again(home, replay, plain=plain)
        return
    if socket is None:
        home.create()
        asyncio.run(launch.ensure_running(home))
    else:
        asyncio.run(ControlClient(socket).hello())  # nobody there: said before a screen is drawn
    with _recorder(record) as note:
        if plain:
            asyncio.run(_tell(ControlClient(socket or home.control()), note))
        else:
            show(home, socket or home.control(), note=note)


def show(
    home: Profile, socket: Path, *, note: Callable[[NodeStatus], None] = lambda _: None
) -> None:
    """The screen on the node behind `socket`; returns when the operator detaches."""
    client = ControlClient(socket, seen=lambda hello: attached(app.store, hello))
    app = _app(home, client, note=note)
    app.run(mouse=app.settings.mouse)
    _ended(app)
    status = app.store.live.status
    if status.pid:
        typer.echo(
            f"node {status.label} keeps working (pid {status.pid}). "
            "fedtui = attach, fedtui stop = stop."
        )


def _app(
    home: Profile,
    controls: NodeControls,
    *,
    note: Callable[[NodeStatus], None] = lambda _: None,
    keeps_place: bool = True,
) -> FedtuiApp:
    from fedtui.tui import lastplace  # noqa: PLC0415
    from fedtui.tui.app import FedtuiApp  # noqa: PLC0415  textual: only where a screen is shown
    from fedtui.tui.outside import Outside  # noqa: PLC0415

    path = home.root / "screen.toml"
    last = home.root / "screen.last"
    return FedtuiApp(
        controls,
        clock=utc,
        settings=_settings(path),
        outside=Outside(
            environment=surroundings(),
            save=lambda settings: _save(path, settings),
            keep=lambda place: _keep(last, lastplace.write(place)) if keeps_place else None,
            place=lastplace.read(_kept(last)),
            note=note,
            exports=home.root / "exports",
        ),
    )


def _ended(app: FedtuiApp) -> None:
    if app.return_code:
        raise Stop(
            "the screen ended by a bug in fedtui; the node was not touched",
            remedy="fedtui attaches again; fedtui watch --plain needs no screen",
            exit_code=Exit.INTERNAL,
        )


# ---- plain lines, recordings ------------------------------------------------------------------


def _teller() -> Callable[[NodeStatus], None]:
    """What prints the news of one status after the other."""
    before: NodeStatus | None = None

    def tell(now: NodeStatus) -> None:
        nonlocal before
        for line in telling.lines(before, now):
            typer.echo(line)
        before = now

    return tell


async def _tell(client: ControlClient, note: Callable[[NodeStatus], None]) -> None:
    tell = _teller()
    async for now in client.watch():
        note(now)
        tell(now)


def _show_again(home: Profile, path: Path, *, plain: bool) -> None:
    with path.open("rb") as file:
        try:  # whole, before anything is shown; then again, as it is shown
            num_told = sum(1 for _ in recording.read(file))
        except recording.RecordingError as error:
            raise Stop(
                f"{path}: {error}", remedy="record anew", exit_code=Exit.BAD_DATA
            ) from error
        file.seek(0)
        told = islice(recording.read(file), num_told)  # one that still grows is shown up to here
        if plain:
            tell = _teller()
            for _, now in told:
                tell(now)
            return
        app = _app(home, Replay(told), keeps_place=False)  # of the node's screen, not of this
        app.store.read_only("a recording")
        app.run(mouse=app.settings.mouse)
        _ended(app)


@contextmanager
def _recorder(path: Path | None) -> Iterator[Callable[[NodeStatus], None]]:
    """What notes each status in a new file, 0600; nothing if there is none."""
    if path is None:
        yield lambda _: None
        return
    recorder = recording.Recorder()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:

        def note(status: NodeStatus) -> None:
            file.write(recorder.line(status, utc()))

        yield note


# ---- screen.toml ------------------------------------------------------------------------------


def _settings(path: Path) -> Settings:
    from fedtui.tui import settings  # noqa: PLC0415  textual: only where a screen is shown

    try:
        return settings.read(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return settings.Settings()
    except (settings.SettingsError, UnicodeDecodeError) as error:
        raise Stop(
            f"{path}: {error}", remedy="mend it, or remove the file", exit_code=Exit.USAGE
        ) from error


def _kept(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _keep(path: Path, text: str) -> None:
    with suppress(OSError):  # a full disk is told of where something would be lost by it
        write_atomically(path, text.encode(), durable=False)


def _save(path: Path, settings: Settings) -> None:
    from fedtui.tui.settings import write  # noqa: PLC0415  textual: only where a screen is shown

    write_atomically(path, write(settings).encode(), durable=False)
