"""`fedtui model export` and `fedtui predict`: the last committed model, for use."""

from pathlib import Path
from typing import Annotated

import typer

from node.exits import Exit, Stop

model_app = typer.Typer(
    help="The model that came of it.", no_args_is_help=True, rich_markup_mode=None
)


@model_app.callback()
def model() -> None:
    """The model that came of it."""


@model_app.command("export")
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Where to write it.", metavar="FILE")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Write the last committed model as a safetensors file."""
    from node import last_model  # noqa: PLC0415 - numpy, not for every command

    _check_place(out, force=force)
    typer.echo(f"wrote {out}: {last_model.export(context.obj, out)}", err=True)


def predict(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Inputs, as the task reads them.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to write; else stdout.", metavar="FILE")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Answer each row of FILE with the last committed model: one JSON object a line."""
    from node import last_model  # noqa: PLC0415 - numpy, not for every command

    if not file.exists():
        raise Stop(f"{file} does not exist", remedy="check the name", exit_code=Exit.MISSING_INPUT)
    if out is not None:
        _check_place(out, force=force)
        if out.exists() and out.samefile(file):
            raise Stop(
                f"{out} is the input itself", remedy="another name", exit_code=Exit.CANNOT_CREATE
            )
    done = last_model.predict(context.obj, file, out, show=lambda text: typer.echo(text, nl=False))
    typer.echo(done, err=True)


def _check_place(out: Path, *, force: bool) -> None:
    """Raise Stop if nothing may or can be written there."""
    if out.is_dir() or (out.exists() and not force):
        raise Stop(
            f"{out} exists", remedy="another name, or --force", exit_code=Exit.CANNOT_CREATE
        )
    if not out.absolute().parent.is_dir():
        raise Stop(
            f"{out} cannot be written: there is no folder {out.absolute().parent}",
            remedy="make the folder, or choose another place",
            exit_code=Exit.CANNOT_CREATE,
        )
