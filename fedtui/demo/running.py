"""One run of the demo: a federation is brought up, watched, exported, and taken down again.

Ctrl-C, SIGTERM and a closed terminal take it down early, once: from then on they are ignored, so
that a second one cannot leave programs or keys behind.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from fedtui.demo.display import Display, open_display
from fedtui.demo.federation import LocalFederation, NodeSpec
from fedtui.demo.outcome import closing, exit_status, outcome_of
from fedtui.demo.panel import table_of
from fedtui.demo.programs import Programs
from fedtui.demo.progress import RoundRow
from fedtui.demo.screen import show, socket_of
from fedtui.demo.settings import RUNS, OutputError, Settings
from fedtui.demo.watch import Watch
from fedtui.errors import FedtuiError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run(settings: Settings) -> int:
    """Bring it up, watch it, show what came of it, and take it all down; the exit status."""
    console = Console(stderr=settings.json)
    _stop_orderly()
    folder = Path(tempfile.mkdtemp(prefix="fedtui-"))
    programs = Programs(
        folder, {"FEDTUI_HOME": str(folder / "nodes"), "XDG_RUNTIME_DIR": str(folder / "run")}
    )
    display = open_display(console, plain=settings.plain or settings.json)
    federation = LocalFederation(
        programs,
        settings.plan_toml(),
        specs_of(settings),
        settings.initial,
        say=display.say,
        remedy=settings.remedy,
    )
    failed = False
    try:
        (folder / "run").mkdir(mode=0o700)  # for the nodes' sockets, so that nothing stays behind
        if settings.left_out:
            display.say(settings.left_out)
        began = time.monotonic()
        await federation.start()
        screen = None
        if settings.screen and display.is_live:
            screen = socket_of(folder / "nodes", federation.nodes[0].label)
        status = await _watch(federation, display, began, screen)
        where = await _export(federation, settings)
        display.close()
        outcome = outcome_of(settings, status, time.monotonic() - began, where)
        _show(console, settings, status, outcome)
        return exit_status(outcome)
    except FedtuiError:
        failed = True
        raise
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            display.say("stopping everything that was started ...")
        raise
    finally:
        ignore_signals()
        with contextlib.suppress(OSError):  # the terminal may be gone
            display.close()
        await programs.stop()
        if failed and keep_logs(folder):
            typer.echo(f"logs are kept in {folder}", err=True)
        elif not failed:
            shutil.rmtree(folder, ignore_errors=True)


def _stop_orderly() -> None:
    """Let a signal end the run once; who is told to ignore one (nohup) goes on ignoring it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def stop(_number: int, _frame: FrameType | None) -> None:
        ignore_signals()
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def ignore_signals() -> None:
    """Nothing interrupts the clean-up: it ends by itself, within seconds."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def keep_logs(folder: Path) -> bool:
    """Remove all but the logs, above all keys and invites; the folder too if there are none."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix != ".log":
            path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()
    return folder.exists()


def specs_of(settings: Settings) -> tuple[NodeSpec, ...]:
    """Participants that share the task's data, and an evaluator if the task has a test set."""
    options = ("--visible",) if settings.shows_updates else ()
    data = str(settings.data.resolve()) if settings.data else ""
    split = settings.split
    if split.endswith(".npz"):
        split = str(Path(split).resolve())
    found = [
        NodeSpec(
            label=f"node-{i + 1}",
            data=data,
            split=split,
            shard=f"{i}/{settings.nodes}",
            split_seed=settings.seed,
            options=options,
        )
        for i in range(settings.nodes)
    ]
    if settings.with_evaluator:
        found.append(NodeSpec(label="evaluator", data=data, role="evaluator", options=options))
    return tuple(found)


async def _watch(
    federation: LocalFederation, display: Display, began: float, screen: Path | None
) -> dict[str, Any]:
    """Show what happens until the federation has ended; the coordinator's last status.

    `screen` is the socket of the node whose operator's screen has the terminal until it is left.
    """
    watch, over = Watch(), asyncio.Event()
    showing = _draw(screen, display, over) if screen is not None else None
    try:
        async with contextlib.aclosing(federation.follow()) as told:
            async for line in told:
                watch.take(line)
                if showing is None or showing.done():
                    display.show(watch.progress(time.monotonic() - began))
                if watch.ended:
                    break
        over.set()
        if showing is not None:
            await showing
    finally:
        if showing is not None and not showing.done():
            showing.cancel()
            await asyncio.wait({showing})
    status = await federation.status()  # with all the bytes of each round
    watch.take({"event": "status", "status": status})
    display.show(watch.progress(time.monotonic() - began))
    return status


def _draw(socket: Path, display: Display, over: asyncio.Event) -> asyncio.Task[None]:
    display.hide()
    return asyncio.create_task(show(socket, Path.cwd(), over=over))


async def _export(federation: LocalFederation, settings: Settings) -> Path:
    """Write the federation's model where the user finds it: all of it, or nothing."""
    made = federation.programs.folder / "model"
    await federation.programs.run(*federation.coordinator("export", "--out", str(made)))
    where = settings.out or RUNS / time.strftime("%Y%m%d-%H%M%S")
    move(made, where)
    return where


def move(made: Path, where: Path) -> None:
    """Put the folder `made` where nothing is yet."""
    if os.path.lexists(where):
        raise OutputError(f"{where} exists and was left as it is: give another --out")
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, where)
    except OSError as error:
        raise OutputError(f"{where}: {error.strerror}: give another --out") from error


def _show(
    console: Console, settings: Settings, status: dict[str, Any], outcome: dict[str, Any]
) -> None:
    if settings.json:
        typer.echo(json.dumps(outcome))
        return
    rows = tuple(RoundRow(**row) for row in outcome["rounds"])
    console.print()
    console.print(table_of(rows, status["metric"]))
    console.print()
    for text, style in closing(status, outcome):
        console.print(Text(text, style=style), soft_wrap=not console.is_terminal)
    console.print(Text(f"the model: {outcome['model']}"), soft_wrap=True)
