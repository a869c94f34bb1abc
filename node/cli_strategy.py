"""`fedtui strategy`: a strategy that is a file of the coordinator's operator, added by hand."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer looks at it
from typing import Annotated

import msgspec
import typer

from node import own_strategies

strategy_app = typer.Typer(
    help="A coordinator's own strategy: one Python file.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@strategy_app.callback()
def strategy() -> None:
    """A coordinator's own strategy: one Python file."""


@strategy_app.command("add")
def add(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A Python file that ends in 'build = ...'.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Keep a strategy's file for this profile. It runs with your rights: read it before."""
    context.obj.create()
    digest = own_strategies.add(context.obj, file)
    if as_json:
        typer.echo(msgspec.json.encode({"sha256": digest}).decode())
    else:
        typer.echo(
            f"added {file}; the coordinator's plan must say: sha256 = {digest!r}. A node that "
            "runs already looks at it when it is started again"
        )
