"""`fedtui task`: the operator's own task, added by hand and tried before anything is sent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from fedtui.plugins import file_hash
from node import tasks
from node.exits import Exit, Stop

task_app = typer.Typer(
    help="Your own task: one Python file.", no_args_is_help=True, rich_markup_mode=None
)

File = Annotated[Path, typer.Argument(help="A Python file that ends in 'build = YourTask'.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@task_app.command("add")
def add(context: typer.Context, file: File, as_json: Json = False) -> None:
    """Keep a task file for this profile, pinned by its hash."""
    context.obj.create()
    digest = tasks.add(context.obj, file)
    if as_json:
        typer.echo(msgspec.json.encode({"sha256": digest}).decode())
    else:
        typer.echo(f"added {file}; the coordinator's plan must say: sha256 = {digest!r}")


@task_app.command("check")
def check(
    file: File,
    data: Annotated[str, typer.Option(help="Your data: PATH, or PATH?shard=0/4.")] = "",
    as_json: Json = False,
) -> None:
    """Try one step of a task on your data, and say what would be sent. Sends nothing."""
    from fedtui.learning.data import DataError, parse_source  # noqa: PLC0415 - numpy
    from node import alone, jobs  # noqa: PLC0415

    source = tasks.read(file)
    try:
        found = parse_source(data)
    except DataError as error:
        raise Stop(str(error), exit_code=Exit.BAD_DATA) from error
    digest = file_hash(source)
    job = jobs.CheckJob(
        job_id=1,
        task=jobs.TaskRef(name=file.stem, file=str(file.absolute()), sha256=digest),
        data=found,
    )
    outcome = asyncio.run(alone.run_alone(job))
    if not isinstance(outcome, jobs.Checked):
        raise alone.failed(outcome)
    if as_json:
        typer.echo(msgspec.json.encode(outcome).decode())
        return
    typer.echo(f"ok           {outcome.num_examples:,} examples, measured by {outcome.metric}")
    if outcome.classes:
        counts = ", ".join(f"{name}: {number}" for name, number in outcome.classes.items())
        typer.echo(f"classes      {counts}")
    typer.echo(f"would send   {outcome.sends}")
    typer.echo(f"sha256       {digest}")
