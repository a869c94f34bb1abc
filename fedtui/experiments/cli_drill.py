"""`fedtui-simulate drill`: known attacks against what a plan sets against them."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from fedtui.errors import ExitCode


def drill(
    plan: Annotated[Path, typer.Argument(help="A plan.toml with a [population].")],
    *,
    attacks: Annotated[
        str, typer.Option(help="Names of attacks, with commas between them (default: all).")
    ] = "",
    bad: Annotated[float, typer.Option(help="The part of all nodes that attacks.")] = 0.1,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Instead of the plan's maximum.")
    ] = None,
    beside: Annotated[
        str, typer.Option(help="mean: every run once more, with the plain mean and no gate.")
    ] = "",
    task_file: Annotated[
        Path | None, typer.Option(help="Your own task's file; the plan pins its SHA-256.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Run the plan's federation under each attack, and tell what got through.

    The attackers of the plan's own population are left out. Exits 1 if a run could not come to its
    end (the table says which), 130 after Ctrl-C.
    """
    if not 0 < bad < 1:
        raise typer.BadParameter("must lie between 0 and 1", param_hint="--bad")
    if beside not in ("", "mean"):
        raise typer.BadParameter(f"{beside!r} is not: mean", param_hint="--beside")
    from fedtui.experiments import drilling  # noqa: PLC0415  numpy and all the rounds

    there = drilling.known()
    chosen = tuple(dict.fromkeys(one.strip() for one in attacks.split(","))) if attacks else there
    for name in chosen:
        if name not in there:
            raise typer.BadParameter(
                f"there is no attack {name!r}; there are: {', '.join(there)}",
                param_hint="--attacks",
            )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    import msgspec  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    wishes = drilling.Wishes(
        plan=plan,
        attacks=chosen,
        bad=bad,
        rounds=rounds,
        beside_mean=bool(beside),
        task_file=task_file,
    )
    report = drilling.drill(wishes, lambda text: typer.echo(text, err=True))
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        drilling.show(report, Console(file=sys.stdout))
    return ExitCode.FAILED if any(one.failed for one in report.outcomes) else ExitCode.OK
