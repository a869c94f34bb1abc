"""`fedtui-coordinator`: the commands of a coordinator's operator.

One clear line on stderr and an exit status of coordinator/exits.py when something is wrong, never
a traceback. Data goes to stdout, with --json as JSON; everything else goes to stderr.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from coordinator import (
    cli_invites,
    cli_keep,
    cli_key,
    cli_nodes,
    cli_plan,
    cli_start,
    cli_status,
    cli_watch,
)
from coordinator.exits import Exit, of_error
from fedtui import __version__

app = typer.Typer(
    name="fedtui-coordinator",
    help="Coordinates a federation: invites nodes, runs rounds, keeps the model.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
app.command()(cli_start.init)
app.command()(cli_start.serve)
app.add_typer(cli_plan.plan_app, name="plan")
app.command()(cli_invites.invite)
app.add_typer(cli_invites.invites_app, name="invites")
app.add_typer(cli_nodes.nodes_app, name="nodes")
app.command()(cli_status.status)
app.command()(cli_status.follow)
app.command()(cli_watch.watch)
app.command()(cli_status.pause)
app.command()(cli_status.resume)
app.command("next")(cli_status.next_round)
app.command()(cli_status.stop)
app.add_typer(cli_key.key_app, name="key")
app.add_typer(cli_keep.audit_app, name="audit")
app.command()(cli_keep.export)
app.command("backup")(cli_keep.make_backup)
app.command("restore")(cli_keep.restore_backup)


# Newer Typers bring a Click of their own, so its exceptions are found by what Typer offers.
_USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]


@app.callback(invoke_without_command=True)
def fedtui_coordinator(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Coordinates a federation: invites nodes, runs rounds, keeps the model."""
    if version:
        typer.echo(f"fedtui {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit status."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = app(arguments, standalone_mode=False)
        sys.stdout.flush()
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("interrupted", err=True)
        return Exit.INTERRUPTED
    except BrokenPipeError:  # the reader of our pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except _USAGE_ERROR as error:
        return _say_usage(error)
    except Exception as error:
        known = of_error(error)
        if known is None:
            raise
        typer.echo(f"fedtui-coordinator: {known[0]}", err=True)
        return known[1]
    return code if isinstance(code, int) else Exit.OK


def _say_usage(error: Exception) -> int:
    """Print what Click has to say about wrong arguments."""
    show = getattr(error, "show", None)
    if callable(show):
        show()
    return Exit.USAGE


if __name__ == "__main__":
    main()
