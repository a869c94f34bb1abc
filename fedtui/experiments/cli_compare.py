"""`fedtui-simulate compare`: several runs as one table and one picture."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders that 'run' or 'sweep' wrote.")],
    *,
    target: Annotated[
        float | None, typer.Option(help="The score to reach; default: that of the plan.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Also write a line per run to this file.")
    ] = None,
    picture: Annotated[
        Path, typer.Option(help="Where the picture goes, as .png and .svg.")
    ] = Path("comparison.png"),
    no_picture: Annotated[bool, typer.Option("--no-picture", help="The table only.")] = False,
) -> None:
    """Tabulate and draw runs; those that differ by their seed only are one line, with spread."""
    from rich.console import Console  # noqa: PLC0415  only this command needs these

    from fedtui.experiments import compare as comparing  # noqa: PLC0415
    from fedtui.experiments import comparison, spread_picture  # noqa: PLC0415
    from fedtui.experiments.disk import write_whole  # noqa: PLC0415

    loaded = [comparing.load(path) for path in dict.fromkeys(runs)]
    found = comparing.compare(loaded, target)
    if as_json:
        typer.echo(comparison.as_json(found).decode())
    else:
        comparison.show(found, Console(file=sys.stdout))
    if csv is not None:
        write_whole(csv, comparison.as_csv(found).encode())
        typer.echo(f"table: {csv}", err=True)
    if not no_picture:
        drawn = spread_picture.draw(loaded, found.metric, found.target).write(picture)
        typer.echo(f"picture: {', '.join(map(str, drawn))}", err=True)
