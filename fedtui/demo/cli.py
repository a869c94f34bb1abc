"""The command `fedtui-demo`: its options, and which exit status an error ends it with."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated, cast

import typer

from fedtui.demo import running
from fedtui.demo.programs import ProgramError
from fedtui.demo.settings import Model, Settings, TaskName
from fedtui.errors import ExitCode, FedtuiError

# Newer Typers bring a Click of their own, so its exceptions are found by what Typer offers.
USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="fedtui-demo: one coordinator and some nodes train a model together on this machine.",
)


def run() -> int:
    """Run the command; its exit status."""
    try:
        status = app(standalone_mode=False)
    except USAGE_ERROR as error:
        show = getattr(error, "show", None)
        if callable(show):
            show()
        status = ExitCode.USAGE
    except (typer.Abort, KeyboardInterrupt, asyncio.CancelledError):
        status = 128 + signal.SIGINT  # newer Typers return it, older ones raise
    except ProgramError as error:
        typer.echo(f"fedtui-demo: {error}", err=True)
        status = error.status
    except FedtuiError as error:
        typer.echo(f"fedtui-demo: {error}", err=True)
        status = error.exit_code
    return int(status or 0)


@app.command()
def demo(
    task: Annotated[str, typer.Option(help="digits or fashion_mnist")] = "digits",
    model: Annotated[str, typer.Option(help="mlp or cnn (fashion_mnist)")] = "mlp",
    plan: Annotated[Path | None, typer.Option(help="a plan.toml instead of the built-in")] = None,
    data: Annotated[Path | None, typer.Option(help="folder with the task's data")] = None,
    nodes: Annotated[int, typer.Option(help="how many participants")] = 4,
    rounds: Annotated[int | None, typer.Option(help="at most so many rounds")] = None,
    target: Annotated[float | None, typer.Option(help="the score at which it ends")] = None,
    split: Annotated[
        str, typer.Option(help="iid, dirichlet:0.5, shards:2, quantity:1.0, or FILE")
    ] = "iid",
    initial: Annotated[Path | None, typer.Option(help="initial model, safetensors")] = None,
    seed: Annotated[int, typer.Option(help="of the plan and of the split")] = 1,
    out: Annotated[Path | None, typer.Option(help="where the model goes")] = None,
    visible: Annotated[
        bool, typer.Option("--visible", help="no masks: the coordinator reads each update")
    ] = False,
    screen: Annotated[
        bool,
        typer.Option(
            "--screen/--no-screen", help="the screen of one node while it runs, on a terminal"
        ),
    ] = True,
    plain: Annotated[bool, typer.Option("--plain", help="lines instead of a display")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on stdout")] = False,
) -> int:
    """Start a coordinator and nodes as programs of their own, and watch them learn.

    Exits 0 if the target was reached (or there was none and all went well), 1 if not.
    """
    settings = Settings(
        task=cast("TaskName", _one_of("--task", task, ("digits", "fashion_mnist"))),
        model=cast("Model", _one_of("--model", model, ("mlp", "cnn"))),
        plan=plan,
        data=data,
        nodes=nodes,
        rounds=rounds,
        target=target,
        split=split,
        initial=initial,
        seed=seed,
        visible=visible,
        plain=plain,
        screen=screen,
        json=as_json,
        out=out,
    )
    return asyncio.run(running.run(settings))


def _one_of(option: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise typer.BadParameter(f"{value!r} is not one of: {', '.join(known)}", param_hint=option)
    return value
