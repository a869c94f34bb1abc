"""`init` and `serve`: making a coordinator, and running it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from coordinator import fromrun
from coordinator.answers import InitReport
from coordinator.cli_options import Dir, Json, layout_of, megabytes, show
from coordinator.refusals import BadRequestError, os_refusal
from coordinator.templates import (
    DEFAULT_HEALTH_PORT,
    DEFAULT_PORT,
    PlanChoices,
    ServerChoices,
    Value,
)
from fedtui.plugins import file_hash
from fedtui.wire.labels import safe_label

# Options of `init` that say what a simulated run says.
_OF_A_RUN = (
    "name",
    "task",
    "option",
    "metric",
    "rounds",
    "target",
    "minimum",
    "start_with",
    "evaluator",
    "masked",
    "seed",
    "plan",
    "initial",
    "task_file",
)


def init(
    context: typer.Context,
    directory: Dir = None,
    *,
    name: Annotated[str, typer.Option(help="The federation's name.")] = "federation",
    task: Annotated[
        str | None,
        typer.Option(
            help="What to learn: a task of fedtui (digits, image_folder, tabular, char_lm, ...; "
            "README, 'Your own data', has all) or the name of your own (default: that of "
            "--task-file, else digits)."
        ),
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the task, key=value.")
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="The figure that rounds are judged by (default: the task's own; with --initial "
            "accuracy)."
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="At most so many rounds.")] = 50,
    target: Annotated[float | None, typer.Option(help="Stop at this score.")] = None,
    minimum: Annotated[
        int | None,
        typer.Option(min=1, help="Nodes that a round needs (default: 3; 2 with --visible)."),
    ] = None,
    start_with: Annotated[
        int | None, typer.Option(min=1, help="Nodes that the first round waits for.")
    ] = None,
    evaluator: Annotated[
        bool, typer.Option("--evaluator", help="A node of role evaluator measures the model.")
    ] = False,
    masked: Annotated[
        bool,
        typer.Option(
            "--masked/--visible", help="Whether the coordinator reads sums of updates only."
        ),
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Everything random derives from it.")] = 1,
    plan: Annotated[
        Path | None, typer.Option(help="Take this plan.toml instead of writing one.")
    ] = None,
    initial: Annotated[
        Path | None, typer.Option(help="Initial model, safetensors (default: the task's own).")
    ] = None,
    from_run: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Take plan and initial model of a simulated run, whose folder this is.",
        ),
    ] = None,
    task_file: Annotated[
        Path | None,
        typer.Option(help="The file of an own task: the plan pins its SHA-256."),
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "0.0.0.0",  # noqa: S104
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = DEFAULT_PORT,
    health_port: Annotated[
        int, typer.Option(min=0, max=65535, help="For /healthz; 0: any free one.")
    ] = DEFAULT_HEALTH_PORT,
    address: Annotated[
        list[str] | None, typer.Option("--address", help="How nodes reach this machine.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a new coordinator: keys, configuration, plan, initial model, database."""
    server = ServerChoices(
        host=host, port=port, health_port=health_port, addresses=tuple(address or ())
    )
    from coordinator import initialise  # noqa: PLC0415  brings numpy and the database with it

    if from_run is not None:
        _refuse_beside_a_run(context)
        found = fromrun.read(from_run)
        wishes = initialise.Wishes(
            server=server,
            plan=found.plan,
            initial=found.initial,
            plugins=from_run / "plugins",
            notes=found.notes,
        )
        report = initialise.init(layout_of(directory).root, wishes)
        show(report, _init_text(report), as_json=as_json)
        return
    choices = PlanChoices(
        name=safe_label(name) or "federation",
        task=task or (task_file.stem if task_file is not None else "digits"),
        sha256=_hash_of(task_file) if task_file is not None and plan is None else "",
        metric=metric,
        options=dict(_option(text) for text in option or ()),
        seed=seed,
        minimum=minimum,
        start_with=start_with,
        rounds=rounds,
        target=target,
        with_evaluator=evaluator,
        masked=masked,
    )
    wanted, notes = (choices, ()) if plan is None else _plan_in(plan)
    wishes = initialise.Wishes(
        server=server,
        plan=wanted,
        initial=initial,
        task_file=task_file,
        plugins=None if plan is None else plan.parent / "plugins",
        notes=notes,
    )
    report = initialise.init(layout_of(directory).root, wishes)
    show(report, _init_text(report), as_json=as_json)


def _init_text(report: InitReport) -> str:
    where = report.directory
    size = megabytes(4 * report.num_values)
    notes = "".join(f"\n  note: {note}" for note in report.notes)
    return (
        f"Coordinator made in {where}\n"
        f"  fingerprint  {report.fingerprint}\n"
        f"  in words     {' '.join(report.words)}\n"
        f"  plan         {where}/plan.toml, what nodes consent to\n"
        f"  its hash     {report.plan_hash}\n"
        f"  model        {report.num_values:,} numbers, {size}\n"
        f"  update bound {report.bound}{notes}\n"
        f"\nNext:\n"
        f"  fedtui-coordinator serve --dir {where}\n"
        f"  fedtui-coordinator invite --dir {where}      # one for each node"
    )


def _refuse_beside_a_run(context: typer.Context) -> None:
    """Whatever a run says itself cannot be said again."""
    for name in _OF_A_RUN:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = "--masked/--visible" if name == "masked" else f"--{name.replace('_', '-')}"
            raise BadRequestError(
                f"{option} and --from-run exclude each other: the run's plan and initial model "
                "decide; for others, give --plan and --initial"
            )


def _plan_in(path: Path) -> tuple[str, tuple[str, ...]]:
    """A plan file as it will be served, and what was left out of it."""
    text = _text(path)
    served = fromrun.without_population(text, path=path)
    return served, () if served == text else (fromrun.LEFT_OUT,)


def _option(text: str) -> tuple[str, Value]:
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise BadRequestError(
            f"--option {text!r}: write key=value, for example --option model=cnn or, for a list, "
            """--option 'classes=["cat", "dog"]'"""
        )
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError:
        return key, value
    if isinstance(parsed, list):
        plain = all(isinstance(one, bool | int | float | str) for one in parsed)
        return key, parsed if plain else value
    return key, parsed if isinstance(parsed, bool | int | float | str) else value


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise os_refusal(error) from error
    except UnicodeDecodeError as error:
        raise BadRequestError(f"{path} is not a UTF-8 text file") from error


def _hash_of(task_file: Path) -> str:
    try:
        return file_hash(task_file.read_bytes())
    except OSError as error:
        raise os_refusal(error) from error


def serve(
    directory: Dir = None,
    announce: Annotated[
        bool,
        typer.Option(
            "--announce", help="Let nodes find it on this network, and ask without an invite."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the first line as JSON.")] = False,
) -> int:
    """Run the coordinator until SIGTERM, Ctrl-C or 'stop'; the next 'serve' goes on from there."""
    from coordinator import serving  # noqa: PLC0415  brings the whole coordinator with it

    return serving.serve(layout_of(directory), as_json=as_json, announce=announce)
