"""`fedtui-simulate run`: one run, from its beginning or from where it stopped."""

import signal
import sys
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from fedtui.errors import ExitCode
from fedtui.experiments.engines import EngineChoice, EngineName
from fedtui.status import Device

ENGINES = ("serial", "processes", "ray")
STATUS = {"finished": 0, "stopped": 128 + signal.SIGINT, "failed": int(ExitCode.FAILED)}


def run(
    plan: Annotated[Path, typer.Argument(help="a plan.toml with a [population]")],
    out: Annotated[
        Path | None, typer.Option(help="the run's folder (default: runs/ and the plan's name)")
    ] = None,
    engine: Annotated[str, typer.Option(help="serial, processes or ray")] = "serial",
    workers: Annotated[
        int, typer.Option(min=0, help="of --engine processes (default: one for each core)")
    ] = 0,
    address: Annotated[
        str, typer.Option(help="of a Ray cluster (default: one of this machine alone)")
    ] = "",
    gpus: Annotated[
        float, typer.Option(min=0, help="the share of a GPU that each job of --engine ray takes")
    ] = 0.0,
    plain: Annotated[
        bool, typer.Option("--plain", help="no masks, whatever the plan says: faster")
    ] = False,
    threads: Annotated[
        int, typer.Option(min=1, max=256, help="of torch, in each job; other numbers, other bits")
    ] = 1,
    device: Annotated[
        str, typer.Option(help="where jobs train: cpu, cuda, mps, or auto (a GPU if there is one)")
    ] = "cpu",
    initial: Annotated[
        Path | None, typer.Option(help="initial model, safetensors (default: the task's own)")
    ] = None,
    task_file: Annotated[
        Path | None, typer.Option(help="your own task's file; the plan pins its SHA-256")
    ] = None,
    watch_node: Annotated[
        int, typer.Option(min=0, help="the node that 'watch' can show, counted from 0")
    ] = 0,
    track: Annotated[
        list[str] | None, typer.Option(help="tensorboard, mlflow: where figures go besides")
    ] = None,
    track_uri: Annotated[str, typer.Option(help="of the server that a tracker tells")] = "",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="remove what an earlier run left in the folder")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> int:
    """Simulate the federation of a plan file: the same rounds as a real one, on a virtual clock.

    Run it again to go on where it stopped. Exits 0 when the federation came to its end, 1 when it
    cannot, 130 after Ctrl-C.
    """
    if engine not in ENGINES:
        raise typer.BadParameter(
            f"{engine!r} is not one of: {', '.join(ENGINES)}", param_hint="--engine"
        )
    if device not in get_args(Device):
        raise typer.BadParameter(
            f"{device!r} is not one of: {', '.join(get_args(Device))}", param_hint="--device"
        )
    given = {"--workers": (workers, "processes"), "--address": (address, "ray")}
    given["--gpus"] = (gpus, "ray")
    for option, (value, owner) in given.items():
        if value and engine != owner:
            raise typer.BadParameter(f"is of --engine {owner} only", param_hint=option)
    from fedtui.experiments import progress, running  # noqa: PLC0415  numpy and all the rounds

    wishes = running.Wishes(
        plan=plan,
        out=out or Path("runs") / plan.stem,
        engine=EngineChoice(
            name=cast("EngineName", engine), workers=workers, address=address, gpus=gpus
        ),
        plain=plain,
        threads=threads,
        device=cast("Device", device),
        initial=initial,
        task_file=task_file,
        fresh=fresh,
        watch_node=watch_node,
        track=tuple(track or ()),
        track_uri=track_uri,
        command=tuple(sys.argv),
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    info = running.run(wishes, progress.show_for(sys.stdout, as_json=as_json))
    return STATUS[info.state]
