"""`fedtui-simulate leak`: attacks on what a coordinator sees, and on what lies on its disk."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from fedtui.errors import ExitCode


def leak(
    plan: Annotated[
        Path | None, typer.Argument(help="A plan.toml, with or without a [population].")
    ] = None,
    *,
    seized: Annotated[
        Path | None, typer.Option(help="A coordinator's directory: search every file there.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="A folder for what was reconstructed: leak.png, leak.svg.")
    ] = None,
    examples: Annotated[
        int, typer.Option(min=1, max=256, help="Of each node, to reconstruct.")
    ] = 1,
    members: Annotated[
        int, typer.Option(min=2, max=4096, help="Examples of each node, to find in its update.")
    ] = 32,
    epsilon: Annotated[
        list[float] | None, typer.Option(help="Of the noise; may be repeated (default: 8 and 1).")
    ] = None,
    delta: Annotated[float, typer.Option(help="Of the noise.")] = 1e-5,
    repetitions: Annotated[int, typer.Option(min=1, max=1000)] = 5,
    steps: Annotated[int, typer.Option(min=1, max=100_000, help="Of the search.")] = 600,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Attack one node's update, masked sums of 3 and 10, and the same with noise.

    Exits 1 if the attack does not even work on a plain update, or if a seized directory holds a
    single node's update or something unknown; 130 after Ctrl-C, with nothing written.
    """
    if plan is None and seized is None:
        raise typer.BadParameter("name a plan, or a coordinator's directory with --seized")
    if pictures is not None and plan is None:
        raise typer.BadParameter("needs a plan", param_hint="--pictures")
    levels = tuple(epsilon or (8.0, 1.0))
    if not all(0 < one < float("inf") for one in levels):
        raise typer.BadParameter("must be above 0, and finite", param_hint="--epsilon")
    if not 0 < delta < 1:
        raise typer.BadParameter("must lie between 0 and 1", param_hint="--delta")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    import msgspec  # noqa: PLC0415  torch and all that are of this command only
    from rich.console import Console  # noqa: PLC0415

    from fedtui.experiments import leak_picture, leaking  # noqa: PLC0415
    from fedtui.leakage import seized as disk  # noqa: PLC0415
    from fedtui.leakage.drill import Wishes, drill  # noqa: PLC0415
    from fedtui.leakage.inversion import Search  # noqa: PLC0415

    found = None if seized is None else disk.search(seized)
    report, failed = None, found is not None and disk.gives_away(found)
    if plan is not None:
        wishes = Wishes(
            examples=examples,
            members=members,
            epsilons=levels,
            delta=delta,
            repetitions=repetitions,
            search=Search(steps=steps),
        )
        report, strips = drill(
            leaking.read_plan(plan), wishes, lambda text: typer.echo(text, err=True)
        )
        if pictures is not None and strips:
            drawn = leak_picture.draw(report, strips, wishes.views)
            pictures.mkdir(parents=True, exist_ok=True)
            written = drawn.write(pictures / "leak.png")
            typer.echo(f"picture: {', '.join(map(str, written))}", err=True)
        if not leaking.proves_something(report):
            failed = True
            typer.echo(
                "the plain update gave no picture away: this drill proves nothing", err=True
            )
    if as_json:
        typer.echo(msgspec.json.encode(leaking.Leaks(drill=report, seized=found)).decode())
    else:
        console = Console(file=sys.stdout)
        if report is not None:
            leaking.show(report, console)
        if found is not None:
            leaking.show_seized(found, console)
    return ExitCode.FAILED if failed else ExitCode.OK
