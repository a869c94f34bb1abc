"""`fedtui-simulate sweep`: every run of a sweep.toml, then one table and one picture."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from fedtui.errors import ExitCode


def sweep(
    file: Annotated[Path, typer.Argument(help="The sweep.toml.")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="Where runs go; default: a folder named as the file.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=256, help="So many runs at a time.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Run a grid over a plan's keys and seeds; run it again to go on where it stopped.

    Exits 0 if every run finished, 1 if one failed, 130 if it was interrupted.
    """
    from dataclasses import replace  # noqa: PLC0415  only this command needs these

    import msgspec  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    from fedtui.experiments import comparison, sweepfile  # noqa: PLC0415
    from fedtui.experiments import sweep as sweeping  # noqa: PLC0415

    wanted = sweepfile.read(file)
    if jobs is not None:
        wanted = replace(wanted, jobs=jobs)
    folder = out or Path(file.name).with_suffix("")
    done = asyncio.run(sweeping.run(wanted, folder, lambda text: typer.echo(text, err=True)))
    if as_json:
        typer.echo(msgspec.json.encode(done).decode())
    elif done.comparison is not None:
        comparison.show(done.comparison, Console(file=sys.stdout))
        typer.echo(f"table: {folder / 'comparison.csv'}", err=True)
        typer.echo(f"picture: {folder / 'comparison.png'}, .svg", err=True)
    for name, words in done.failed.items():
        typer.echo(f"failed: {name}: {words}", err=True)
    if done.stopped:
        typer.echo(
            f"interrupted: {len(done.stopped)} runs are not finished; the same command goes on",
            err=True,
        )
        return 128 + signal.SIGINT
    return ExitCode.FAILED if done.failed else ExitCode.OK
