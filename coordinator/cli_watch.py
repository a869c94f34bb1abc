"""`watch`: the coordinator's screen; plain lines for pipes and screen readers.

The one place where the coordinator's programs meet the screen, and only when it is asked for.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from coordinator import adminclient
from coordinator.cli_options import Dir, layout_of
from coordinator.clock import wall_s
from coordinator.layout import Layout
from coordinator.plainlines import PlainLines
from coordinator.refusals import NotRunningError
from coordinator.watching import Watching
from fedtui.control.attaching import has_screen, surroundings


def watch(
    directory: Dir = None,
    *,
    plain: Annotated[
        bool, typer.Option("--plain", help="One line for each thing that happens, no screen.")
    ] = False,
) -> int:
    """Watch the running coordinator, and steer it. Closing the screen changes nothing."""
    layout = layout_of(directory)
    if not adminclient.is_running(layout):
        raise NotRunningError(
            f"no coordinator runs in {layout.root}: start it with 'fedtui-coordinator serve "
            f"--dir {layout.root}'"
        )
    if plain or not has_screen():
        asyncio.run(_print_lines(layout))
        return 0
    return _show(layout)


def _show(layout: Layout) -> int:
    from fedtui.tui.coordinator.app import CoordinatorApp  # noqa: PLC0415  brings Textual with it

    controls = Watching(layout, clock=wall_s)
    screen = CoordinatorApp(controls, clock=wall_s, folder=Path.cwd(), environment=surroundings())
    screen.run()
    return screen.return_code or 0


async def _print_lines(layout: Layout) -> None:
    plain = PlainLines()
    async for seen in Watching(layout, clock=wall_s).watch():
        for line in plain.lines(seen):
            typer.echo(line)
