"""`init` and `serve`: making a coordinator, and running it."""

import asyncio
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
import typer

from coordinator import hardening, logs
from coordinator.cli_options import Dir, Json, layout_of, megabytes, show
from coordinator.config import DEFAULT_HEALTH_PORT, DEFAULT_PORT
from coordinator.exits import Exit
from coordinator.opening import (
    Settings,
    load_identity,
    open_coordinator,
    passphrase_from_environment,
    read_settings,
)
from coordinator.refusals import BadRequestError, os_refusal
from coordinator.spokenwords import spoken
from coordinator.templates import PlanChoices, ServerChoices, plan_toml
from fedtui.crypto.keys import Identity, fingerprint
from fedtui.wire.labels import safe_label

Value: TypeAlias = bool | int | float | str


class InitReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `init --json` prints."""

    directory: str
    fingerprint: str
    words: tuple[str, ...]
    plan_hash: str
    task: str
    num_values: int
    port: int


def init(
    directory: Dir = None,
    *,
    name: Annotated[str, typer.Option(help="The federation's name.")] = "federation",
    task: Annotated[str, typer.Option(help="What to learn; see fedtui/tasks.")] = "digits",
    option: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the task, key=value.")
    ] = None,
    metric: Annotated[
        str, typer.Option(help="The figure that rounds are judged by.")
    ] = "accuracy",
    rounds: Annotated[int, typer.Option(min=1, help="At most so many rounds.")] = 50,
    target: Annotated[float | None, typer.Option(help="Stop at this score.")] = None,
    minimum: Annotated[int, typer.Option(min=1, help="Nodes that a round needs.")] = 2,
    start_with: Annotated[
        int | None, typer.Option(min=1, help="Nodes that the first round waits for.")
    ] = None,
    evaluator: Annotated[
        bool, typer.Option("--evaluator", help="A node of role evaluator measures the model.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Everything random derives from it.")] = 1,
    plan: Annotated[
        Path | None, typer.Option(help="Take this plan.toml instead of writing one.")
    ] = None,
    initial: Annotated[
        Path | None, typer.Option(help="Initial model, safetensors (default: the task's own).")
    ] = None,
    task_file: Annotated[
        Path | None, typer.Option(help="The file of an own task that the plan pins.")
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
    from coordinator.initialise import Wishes, initialise  # noqa: PLC0415  only init pays for it

    hardening.harden()
    choices = PlanChoices(
        name=safe_label(name) or "federation",
        task=task,
        metric=metric,
        options=dict(_option(text) for text in option or ()),
        seed=seed,
        minimum=minimum,
        start_with=start_with,
        rounds=rounds,
        target=target,
        with_evaluator=evaluator,
    )
    server = ServerChoices(
        host=host, port=port, health_port=health_port, addresses=tuple(address or ())
    )
    wishes = Wishes(
        server=server,
        plan=plan_toml(choices) if plan is None else _text(plan),
        initial=initial,
        task_file=task_file,
        passphrase=passphrase_from_environment(),
    )
    made = initialise(layout_of(directory).root, wishes)
    report = InitReport(
        directory=str(made.layout.root),
        fingerprint=fingerprint(made.identity.id),
        words=spoken(made.layout.root, made.identity.id),
        plan_hash=made.plan_hash.hex(),
        task=made.plan.task.name,
        num_values=made.manifest.num_values,
        port=port,
    )
    show(report, _init_text(report, made.manifest.num_bytes), as_json=as_json)


def _init_text(report: InitReport, num_bytes: int) -> str:
    where = report.directory
    return (
        f"Coordinator made in {where}\n"
        f"  fingerprint  {report.fingerprint}\n"
        f"  in words     {' '.join(report.words)}\n"
        f"  plan         {report.plan_hash}  (what nodes consent to: {where}/plan.toml)\n"
        f"  model        {report.num_values:,} numbers, {megabytes(num_bytes)}\n"
        f"\nNext:\n"
        f"  fedtui-coordinator serve --dir {where}\n"
        f"  fedtui-coordinator invite --dir {where}      # one for each node"
    )


def _option(text: str) -> tuple[str, Value]:
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise BadRequestError(
            f"--option {text!r}: write key=value, for example --option model=cnn"
        )
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError:
        return key, value
    return key, parsed if isinstance(parsed, Value) else value


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise os_refusal(error) from error
    except UnicodeDecodeError as error:
        raise BadRequestError(f"{path} is not a UTF-8 text file") from error


@dataclass(slots=True)
class _Signals:
    """Which signal asked the process to stop, if any."""

    caught: int | None = None


def serve(
    directory: Dir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the first line as JSON.")] = False,
) -> int:
    """Run the coordinator until SIGTERM, Ctrl-C or 'stop'; the next 'serve' goes on from there."""
    hardening.harden()
    layout = layout_of(directory)
    settings = read_settings(layout)
    identity = load_identity(layout)
    spoken_words = spoken(layout.root, identity.id)
    config = settings.config.log
    logs.set_up(
        config.level,
        file=layout.root / config.file if config.file else None,
        max_bytes=config.max_bytes,
        keep=config.keep,
    )
    signals = _Signals()
    asyncio.run(_serve(settings, identity, signals, _Greeting(spoken_words, as_json)))
    return Exit.INTERRUPTED if signals.caught == signal.SIGINT else Exit.OK


class ServeReport(msgspec.Struct, frozen=True, kw_only=True):
    """The one line of `serve --json`."""

    address: str
    health: str
    fingerprint: str
    words: tuple[str, ...]
    incarnation: int


@dataclass(frozen=True, slots=True)
class _Greeting:
    words: tuple[str, ...]
    as_json: bool

    def say(self, report: ServeReport) -> None:
        text = (
            f"listening on {report.address}, fingerprint {report.fingerprint} "
            f"({' '.join(report.words)})"
        )
        show(report, text, as_json=self.as_json)
        sys.stdout.flush()


async def _serve(
    settings: Settings, identity: Identity, signals: _Signals, greeting: _Greeting
) -> None:
    from coordinator.service import CoordinatorService, Ports  # noqa: PLC0415  only serve pays

    opened = await asyncio.to_thread(open_coordinator, settings, identity)
    try:
        service = CoordinatorService(opened)
        loop = asyncio.get_running_loop()

        def caught(number: int) -> None:
            signals.caught = number
            service.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, caught, number)
        started: asyncio.Future[Ports] = loop.create_future()
        running = asyncio.ensure_future(service.run(started))
        both: set[asyncio.Future[Ports] | asyncio.Future[None]] = {running, started}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            greeting.say(
                ServeReport(
                    address=f"{settings.config.server.host}:{started.result().nodes}",
                    health=service.status().health,
                    fingerprint=fingerprint(identity.id),
                    words=greeting.words,
                    incarnation=opened.store.incarnation,
                )
            )
        await running
    finally:
        await asyncio.to_thread(opened.store.close)
