"""`fedtui`: the commands of a node's operator.

One clear line on stderr and an exit code of node/exits.py when something is wrong, never a
traceback. Data goes to stdout, with --json as JSON; everything else goes to stderr.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, cast

import msgspec
import typer

from fedtui import __version__
from fedtui.control.attaching import has_screen
from fedtui.control.client import ControlClient, NotRunningError
from node import journal, launch, ledger, plain_log, printing
from node.cli_discover import discover
from node.cli_join import join
from node.cli_key import key_app
from node.cli_model import model_app, predict
from node.cli_screen import watch
from node.cli_steer import leave, limit, pause, resume, retry, withdraw
from node.cli_strategy import strategy_app
from node.cli_task import task_app
from node.cli_trust import trust_app
from node.exits import Exit, of_error
from node.paths import Profile, profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.status import LedgerLine, LogLine, NodeStatus

# Typer carries a click of its own in some versions: take the base class from where it is.
_UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])

_PROFILE: ContextVar[str] = ContextVar("profile", default="default")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=2000, help="How many lines.")]

app = typer.Typer(
    name="fedtui",
    help="A node in a federation: your data stays here, only updates leave, and you see them.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
app.command()(discover)
app.command()(join)
app.command()(predict)
app.command()(watch)
for command in (pause, resume, leave, limit, retry, withdraw):
    app.command()(command)
app.add_typer(trust_app, name="trust")
app.add_typer(key_app, name="key")
app.add_typer(task_app, name="task")
app.add_typer(strategy_app, name="strategy")
app.add_typer(model_app, name="model")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and end the process with its exit code."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    _PROFILE.set("default")
    try:
        code = app(arguments, standalone_mode=False)
        sys.stdout.flush()
    except _UsageError as error:
        error.show()
        return Exit.USAGE
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("interrupted", err=True)
        return Exit.INTERRUPTED
    except BrokenPipeError:  # the reader of our pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as error:
        known = of_error(error)
        if known is None:
            raise
        _say(f"fedtui: {known.text}")
        if known.remedy:
            _say(f"what to do: {known.remedy}")
        return known.exit_code
    return code if isinstance(code, int) else Exit.OK


@app.callback(invoke_without_command=True)
def fedtui(
    context: typer.Context,
    name: Annotated[
        str, typer.Option("--profile", help="Which node of this machine.", metavar="NAME")
    ] = "default",
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Without a command: the screen; where there is no terminal, status and commands."""
    if version:
        typer.echo(f"fedtui {__version__}")
        raise typer.Exit
    context.obj = profile(name)
    _PROFILE.set(name)
    if context.invoked_subcommand is None and has_screen():
        context.invoke(watch, context=context)
    elif context.invoked_subcommand is None:
        asyncio.run(_print_status(context.obj, as_json=False, patient=True))
        typer.echo("\n" + context.get_help())


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """What the node is doing."""
    asyncio.run(_print_status(context.obj, as_json=as_json, patient=False))


@app.command()
def stop(context: typer.Context) -> None:
    """Stop the node. It stays a member; 'fedtui join' starts it again."""
    asyncio.run(launch.stop(context.obj))
    typer.echo("stopped", err=True)


@app.command("ledger")
def show_ledger(context: typer.Context, limit: Limit = 100, as_json: Json = False) -> None:
    """What left this machine: when, what, how many bytes, in which form, to whom."""
    found = ledger.extract(context.obj.ledger, limit)
    lines = ledger.with_sums(found.entries, journal.votes(context.obj.journal))
    text = printing.ledger_text(lines, num_entries=found.num_entries, num_bytes=found.num_bytes)
    _print(lines, text, as_json=as_json)


@app.command()
def log(context: typer.Context, limit: Limit = 100, as_json: Json = False) -> None:
    """What happened; also when the node is not running."""
    asyncio.run(_print_log(context.obj, limit, as_json=as_json))


@app.command()
def node(
    context: typer.Context,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay here and print plain lines.")
    ] = False,
) -> None:
    """Run the node of this profile: in the background, or here (containers, systemd)."""
    home: Profile = context.obj
    if foreground:
        home.create()
        os.execv(sys.executable, launch.command(home.name))  # noqa: S606 - our own program
    started = asyncio.run(_start(home))
    typer.echo("started" if started else "running already", err=True)


async def _start(home: Profile) -> bool:
    home.create()
    return await launch.ensure_running(home)


async def _print_status(home: Profile, *, as_json: bool, patient: bool) -> None:
    try:
        seen = await ControlClient(home.control()).status()
    except NotRunningError as error:
        if not patient:
            raise
        typer.echo(printing.for_profile(f"{error.text}: {error.remedy}", home.name))
        return
    _print(seen, printing.status_text(seen), as_json=as_json)


async def _print_log(home: Profile, limit: int, *, as_json: bool) -> None:
    if not as_json:
        typer.echo("\n".join(plain_log.texts(home.log, limit)) or "nothing was logged yet")
        return
    try:
        lines = await ControlClient(home.control()).log(limit)
    except NotRunningError:
        lines = plain_log.lines(home.log, limit)
    _print(lines, "", as_json=True)


def _print(
    found: NodeStatus | tuple[LedgerLine, ...] | tuple[LogLine, ...], text: str, *, as_json: bool
) -> None:
    typer.echo(msgspec.json.encode(found).decode() if as_json else text)


def _say(text: str) -> None:
    """To the operator, on stderr; commands in it are those of the profile at hand."""
    typer.echo(printing.for_profile(text, _PROFILE.get()), err=True)


if __name__ == "__main__":
    main()
