"""`fedtui-simulate watch`: the operator's screen on a simulated node, or its news as lines."""

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedtui.control import attaching
from fedtui.errors import ExitCode

if TYPE_CHECKING:
    from fedtui.experiments.following import Following
    from fedtui.tui.app import FedtuiApp


def watch(
    run: Annotated[Path, typer.Argument(help="the folder of a run, finished or under way")],
    node: Annotated[int, typer.Option(min=0, help="which node; it must be recorded")] = 0,
    speed: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="virtual seconds a second; 0: at once (default: a run under way as it goes, a "
            "finished one within a minute)",
        ),
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="as --speed 0: how it ended")] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="lines instead of a screen: pipes, screen readers")
    ] = False,
) -> int:
    """Watch a node of a run as its operator would see it, on the run's virtual clock."""
    if end and speed:
        raise typer.BadParameter("--end and --speed exclude each other", param_hint="--end")
    from fedtui.experiments.following import Following  # noqa: PLC0415  numpy and the rounds

    speed = 0.0 if end else speed
    os.environ["TZ"] = "UTC"  # virtual time begins at 0:00, wherever this is looked at
    time.tzset()
    if plain or not attaching.has_screen():
        ends: list[str] = []
        asyncio.run(_print(Following(run, node, speed=speed or 1e9, over=ends.append)))
        for how in ends:
            typer.echo(f"the run is over: {how}")
        return 0
    return _show(run, node, speed)


async def _print(node: "Following") -> None:
    from fedtui.control import telling  # noqa: PLC0415

    before = None
    async for now in node.told():
        if before is None:
            typer.echo(f"node {now.label}; its time is virtual, from 0:00 on")
        for line in telling.lines(before, now):
            typer.echo(f"{_clock(node.now())} {line}")
        before = now


def _show(run: Path, node: int, speed: float | None) -> int:
    screen = screen_of(run, node, speed)
    screen.run(mouse=screen.settings.mouse)
    return int(ExitCode.INTERNAL) if screen.return_code else 0


def screen_of(run: Path, node: int, speed: float | None) -> "FedtuiApp":
    """The screen, not running yet."""
    from fedtui.experiments.following import Following  # noqa: PLC0415
    from fedtui.tui.app import FedtuiApp  # noqa: PLC0415  textual: only where a screen is shown
    from fedtui.tui.outside import Outside  # noqa: PLC0415
    from fedtui.tui.settings import Settings  # noqa: PLC0415

    def over(how: str) -> None:
        screen.store.read_only(f"simulated, virtual time; {how}")

    controls = Following(run, node, speed=speed, over=over)
    screen = FedtuiApp(
        controls,
        clock=controls.now,
        settings=Settings(detach_asks=False),
        outside=Outside(
            environment=attaching.surroundings(),
            exports=Path.cwd(),
        ),
    )
    screen.store.read_only("simulated, virtual time")
    return screen


def _clock(at: float) -> str:
    from fedtui.simulation.onlooker import BEGINNING_S  # noqa: PLC0415

    days, rest = divmod(int(at - BEGINNING_S), 86400)
    text = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"day {days + 1} {text}" if days else text
