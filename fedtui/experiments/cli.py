"""The command `fedtui-simulate`: its commands, and which exit status an error ends it with."""

import signal

import typer

from fedtui.errors import ExitCode, FedtuiError
from fedtui.experiments.cli_compare import compare
from fedtui.experiments.cli_drill import drill
from fedtui.experiments.cli_leak import leak
from fedtui.experiments.cli_run import run
from fedtui.experiments.cli_sweep import sweep
from fedtui.experiments.cli_watch import watch

# Newer Typers bring a Click of their own, so its exceptions are found by what Typer offers.
USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="fedtui-simulate: a whole federation in one process, on a virtual clock.",
)
app.command("run")(run)
app.command("watch")(watch)
app.command("compare")(compare)
app.command("sweep")(sweep)
app.command("drill")(drill)
app.command("leak")(leak)


def run_command() -> int:
    """Run the command; its exit status."""
    try:
        status = app(standalone_mode=False)
    except USAGE_ERROR as error:
        show = getattr(error, "show", None)
        if callable(show):
            show()
        status = ExitCode.USAGE
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("interrupted", err=True)
        status = 128 + signal.SIGINT
    except FedtuiError as error:
        for line in str(error).splitlines():
            typer.echo(f"fedtui-simulate: {line}", err=True)
        status = error.exit_code
    return int(status or 0)
