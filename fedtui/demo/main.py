"""The command `fedtui-demo`: options in, a federation in between, a summary out."""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.text import Text

from fedtui.demo.display import Display, open_display
from fedtui.demo.federation import LocalFederation, NodeSpec
from fedtui.demo.panel import table_of
from fedtui.demo.programs import Programs
from fedtui.demo.progress import RoundRow, duration, score_text
from fedtui.demo.settings import Model, Settings, TaskName
from fedtui.demo.watch import Watch, rows_of
from fedtui.errors import ExitCode, FedtuiError
from fedtui.learning.metrics import reached

INTERRUPTED = 130
# Newer Typers bring a Click of their own, so its exceptions are found by what Typer offers.
USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]
RUNS = Path("fedtui-runs")

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="fedtui-demo: one coordinator and some nodes train a model together on this machine.",
)


def main() -> None:
    """Run the command and end the process with its exit status."""
    try:
        status = app(standalone_mode=False)
    except USAGE_ERROR as error:
        show = getattr(error, "show", None)
        if callable(show):
            show()
        status = ExitCode.USAGE
    except (typer.Abort, KeyboardInterrupt, asyncio.CancelledError):
        status = INTERRUPTED
    except FedtuiError as error:
        typer.echo(f"fedtui-demo: {error}", err=True)
        status = error.exit_code
    if status == INTERRUPTED:  # newer Typers return it, older ones raise
        typer.echo("interrupted: everything that the demo started is stopped", err=True)
    sys.exit(int(status or 0))


@app.command()
def demo(
    task: Annotated[str, typer.Option(help="digits or fashion_mnist")] = "digits",
    model: Annotated[str, typer.Option(help="mlp or cnn (fashion_mnist)")] = "mlp",
    plan: Annotated[Path | None, typer.Option(help="a plan.toml instead of the built-in")] = None,
    data: Annotated[Path | None, typer.Option(help="folder with the task's data")] = None,
    nodes: Annotated[int, typer.Option(help="how many participants")] = 4,
    rounds: Annotated[int | None, typer.Option(help="at most so many rounds")] = None,
    target: Annotated[float | None, typer.Option(help="the score at which it ends")] = None,
    split: Annotated[str, typer.Option(help="iid, dirichlet:0.5, quantity:1.0, or FILE")] = "iid",
    initial: Annotated[Path | None, typer.Option(help="initial model, safetensors")] = None,
    seed: Annotated[int, typer.Option(help="of the plan and of the split")] = 1,
    out: Annotated[Path | None, typer.Option(help="where the model goes")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="lines instead of a display")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on stdout")] = False,
) -> int:
    """Start a coordinator and nodes as programs of their own, and watch them learn.

    Exits 0 if the target was reached, 1 if not.
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
        plain=plain,
        json=as_json,
        out=out,
    )
    return asyncio.run(_run(settings))


def _one_of(option: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise typer.BadParameter(f"{value!r} is not one of: {', '.join(known)}", param_hint=option)
    return value


async def _run(settings: Settings) -> int:
    """Bring it up, watch it, show what came of it, and take it all down again."""
    console = Console(stderr=settings.json)
    display = open_display(console, plain=settings.plain or settings.json)
    folder = Path(tempfile.mkdtemp(prefix="fedtui-"))
    (folder / "run").mkdir(mode=0o700)  # for the nodes' sockets, so that nothing stays behind
    programs = Programs(
        folder, {"FEDTUI_HOME": str(folder / "nodes"), "XDG_RUNTIME_DIR": str(folder / "run")}
    )
    federation = LocalFederation(
        programs, settings.plan_toml(), specs_of(settings), settings.initial, say=display.say
    )
    kept = False
    _stop_orderly()
    try:
        began = time.monotonic()
        status = await _watch(federation, display, began)
        where = await _export(federation, settings)
        display.close()
        seconds = time.monotonic() - began
        outcome = outcome_of(settings, status, seconds, where)
        _show(console, settings, status, outcome)
        return 0 if outcome["reached"] else 1
    except FedtuiError:
        kept = True
        raise
    finally:
        display.close()
        await programs.stop()
        if kept:
            typer.echo(f"logs are kept in {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _stop_orderly() -> None:
    """Let a closed terminal and SIGTERM end the demo as Ctrl-C does: nothing goes on running."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def specs_of(settings: Settings) -> tuple[NodeSpec, ...]:
    """Participants that share the task's data, and an evaluator if the task has a test set."""
    data = str(settings.data.resolve()) if settings.data else ""
    split = settings.split
    if split.endswith(".npz"):
        split = str(Path(split).resolve())
    found = [
        NodeSpec(
            label=f"node-{i + 1}",
            data=data,
            split=split,
            shard=f"{i}/{settings.nodes}",
            split_seed=settings.seed,
        )
        for i in range(settings.nodes)
    ]
    if settings.with_evaluator:
        found.append(NodeSpec(label="evaluator", data=data, role="evaluator"))
    return tuple(found)


async def _watch(federation: LocalFederation, display: Display, began: float) -> dict[str, Any]:
    """Show what happens until the federation has ended; the coordinator's last status."""
    await federation.start()
    watch = Watch()
    async for line in federation.follow():
        watch.take(line)
        display.show(watch.progress(time.monotonic() - began))
        if watch.ended:
            break
    status = await federation.status()
    watch.take({"event": "status", "status": status})
    display.show(watch.progress(time.monotonic() - began))
    return status


async def _export(federation: LocalFederation, settings: Settings) -> Path:
    """Write the federation's model where the user finds it."""
    where = settings.out or RUNS / time.strftime("%Y%m%d-%H%M%S")
    where.parent.mkdir(parents=True, exist_ok=True)
    await federation.programs.run(*federation.coordinator("export", "--out", str(where)))
    return where


def outcome_of(
    settings: Settings, status: dict[str, Any], seconds: float, where: Path
) -> dict[str, Any]:
    """What `--json` prints."""
    rows = rows_of(status)
    best = status["best"]["score"]
    target = status["target"]
    return {
        "task": status["task"],
        "nodes": settings.nodes,
        "seed": settings.seed,
        "secure_aggregation": False,
        "reached": target is None
        or (best is not None and reached(status["metric"], best, target)),
        "target": target,
        "accuracy": best,
        "seconds": round(seconds, 2),
        "model": str(where / "model.safetensors"),
        "rounds": [asdict(row) for row in rows],
    }


def _show(
    console: Console, settings: Settings, status: dict[str, Any], outcome: dict[str, Any]
) -> None:
    if settings.json:
        typer.echo(json.dumps(outcome))
        return
    rows = tuple(RoundRow(**row) for row in outcome["rounds"])
    console.print()
    console.print(table_of(rows, status["metric"]))
    console.print()
    for text, style in _closing(status, outcome, len(rows)):
        console.print(Text(text, style=style))
    console.print(Text(f"the model: {outcome['model']}"), soft_wrap=True)


def _closing(
    status: dict[str, Any], outcome: dict[str, Any], num_rounds: int
) -> list[tuple[str, str]]:
    """The last lines, each with its style: what came of it, and who saw what."""
    best, metric = outcome["accuracy"], status["metric"]
    score = "nobody measured it" if best is None else f"{metric} {score_text(metric, best)}"
    rounds = "1 round" if num_rounds == 1 else f"{num_rounds} rounds"
    met = outcome["reached"]
    verdict = "target reached" if met else "target NOT reached"
    lines = [
        (
            f"{verdict}: {score} after {rounds}, {duration(outcome['seconds'])} in all",
            "bold green" if met else "bold red",
        )
    ]
    if not met:
        lines.append((f"why it ended: {status['ended']}", ""))
    lines.append(("updates were encrypted on the network and visible to the coordinator", ""))
    return lines
