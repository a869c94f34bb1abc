"""`fedtui discover`: which coordinators announce themselves on this network."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from node import pins, printing
from node.exits import Exit, Stop

if TYPE_CHECKING:
    from fedtui.status import FoundCoordinator
    from node.paths import Profile

NOTHING = (
    "no coordinator announces itself here. Multicast may be blocked, or it does not announce\n"
    "itself (its operator would start it with: fedtui-coordinator serve --announce).\n"
    "Ask its operator for an invite, or for its address: fedtui join --at HOST:PORT"
)


def discover(
    context: typer.Context,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="How long to listen.")] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List coordinators that announce themselves on this network. Anybody can: trust none yet."""
    home: Profile = context.obj
    found, problem, num_left_out = asyncio.run(_listen(home, seconds))
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        for one in found:
            typer.echo(line(one))
    if problem and not found:
        raise Stop(
            f"this machine cannot listen for announcements: {problem}",
            remedy="ask the operator for an invite, or: fedtui join --at HOST:PORT",
            exit_code=Exit.UNREACHABLE,
        )
    if num_left_out:
        _say(f"{num_left_out} more announcements were not listed: somebody floods this network")
    if not found:
        _say(printing.for_profile(NOTHING, home.name))
    elif not as_json:
        _say(printing.for_profile("go on with: fedtui join --at HOST:PORT", home.name))


def line(one: FoundCoordinator) -> str:
    """One coordinator as a line of plain text."""
    names = {one.name, one.federation} - {""}
    match one.standing:
        case "known":
            standing = f"known since {printing.moment(one.known_since)[:10]} (its key will tell)"
        case "same name, other key":
            standing = "SAME NAME, OTHER KEY"
        case _:
            standing = "new"
    return f"{one.address}  {', '.join(sorted(names))}  {one.id_hint or '(no id)'}  {standing}"


async def _listen(home: Profile, seconds: float) -> tuple[tuple[FoundCoordinator, ...], str, int]:
    from node.discovery import Finder  # noqa: PLC0415 - zeroconf is slow to import

    finder = Finder(lambda: pins.pins(home.root.parent))
    running = asyncio.create_task(finder.run())
    try:
        await asyncio.wait({running}, timeout=seconds)
        if running.done():
            running.result()
        return finder.found(), finder.problem, finder.num_left_out
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _say(text: str) -> None:
    typer.echo(text, err=True)
