"""`fedtui pause resume leave limit retry withdraw`: what an operator does to a node that runs."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fedtui.control.client import ControlClient, NotRunningError
from fedtui.status import Limits
from node import config as configs
from node import launch, limits_text, printing
from node.exits import Exit, Stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from node.paths import Profile

_SPAN_S = {"m": 60.0, "h": 3600.0, "d": 86_400.0}


def pause(
    context: typer.Context,
    now: Annotated[
        bool,
        typer.Option(
            "--now", help="Stop sharing: kill the trainer, cut the connection, discard the update."
        ),
    ] = False,
    until: Annotated[
        str, typer.Option(help="Take part again by itself then.", metavar="HH:MM")
    ] = "",
    span: Annotated[
        str, typer.Option("--for", help="Take part again by itself after 30m, 2h, 1d.")
    ] = "",
) -> None:
    """Take no part until 'resume'; a round under way is declined at once."""
    home, client = _home(context), _client(context)
    if sum(map(bool, (now, until, span))) > 1:
        raise Stop("one of --now, --until and --for at a time", exit_code=Exit.USAGE)
    if now:
        asyncio.run(client.stop_sharing())
        _say(home, "stopped: nothing is connected, nothing leaves until 'fedtui resume'")
        return
    here = datetime.now(UTC).astimezone()
    end = moment(until, here) if until else after(span, here) if span else None
    asyncio.run(client.pause(end.timestamp() if end else 0.0))
    shown = f"{printing.moment(end.timestamp())} or 'fedtui resume'" if end else "'fedtui resume'"
    _say(home, f"paused: no work is done and nothing leaves until {shown}")


def resume(context: typer.Context) -> None:
    """Take part again; a leaving after the round is taken back, too."""
    asyncio.run(_client(context).resume())
    _say(_home(context), "taking part again")


def leave(
    context: typer.Context,
    after_round: Annotated[
        bool, typer.Option("--after-round", help="When the round under way is over.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget the coordinator's key, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """End the membership and stop the node. Identity, models and ledger stay."""
    home, client = _home(context), _client(context)
    seen = asyncio.run(client.status())
    if not yes and sys.stdin.isatty():
        name = seen.plan.federation if seen.plan else "the federation"
        typer.confirm(f"Leave {name} for good? To come back you need a new invite", abort=True)
    asyncio.run(client.leave(after_round=after_round, forget=forget))
    if after_round:
        with suppress(NotRunningError):
            if asyncio.run(client.status()).leaving:
                when = f"when round {seen.round.number} is over"
                _say(home, f"leaves {when}; to stay: fedtui resume")
                return
    asyncio.run(launch.gone(home))
    told = seen.state not in {"connecting", "stopped", "idle"} and not seen.offline_since
    said = "the coordinator was told" if told else "the coordinator could not be told"
    _say(home, f"left: {said}; the ledger is kept in {home.ledger}")


def limit(
    context: typer.Context,
    cpu: Annotated[
        int | None, typer.Option(min=1, max=100, help="The trainer's share of its threads, %.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the trainer.")] = None,
    memory: Annotated[
        int | None, typer.Option(min=0, help="Memory of the trainer, MB; 0: no limit.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="Where it trains: auto (a GPU if there is one), cpu, cuda, mps."),
    ] = None,
    upload_per_day: Annotated[
        float | None, typer.Option(min=0, help="MB that may leave each day (UTC); 0: no limit.")
    ] = None,
    upload_rate: Annotated[
        float | None, typer.Option(min=0, help="kB/s of updates; 0: no limit.")
    ] = None,
    run: Annotated[
        str | None, typer.Option(help="always, idle (others leave most cores free) or AC.")
    ] = None,
    hours: Annotated[
        str | None, typer.Option(help="20:00-07:00, local time; or any.", metavar="FROM-TO")
    ] = None,
    leave_on: Annotated[
        str | None, typer.Option(help="Leave by itself on YYYY-MM-DD; or never.", metavar="DATE")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What this node may use, and when. Without options: what node.toml says."""
    home = _home(context)
    config = configs.load(home.config)
    wanted = {
        "cpu_percent": cpu,
        "threads": threads,
        "memory_mb": memory,
        "device": device,
        "max_upload_mb_per_day": upload_per_day,
        "max_upload_kb_per_s": upload_rate,
        "run": run,
        "hours": "" if hours == "any" else hours,
        "leave_on": "" if leave_on == "never" else leave_on,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    limits = config.limits
    if given:
        limits = _checked(limits, given)
        try:
            asyncio.run(_client(context).limit(limits))
        except NotRunningError:
            home.create()
            configs.save(home.config, msgspec.structs.replace(config, limits=limits))
    if as_json:
        typer.echo(msgspec.json.encode(limits).decode())
    else:
        typer.echo(limits_text.table(limits))


def retry(context: typer.Context) -> None:
    """Try to reach the coordinator now, rather than after the next wait."""
    asyncio.run(_client(context).retry())
    _say(_home(context), "trying: fedtui status")


def withdraw(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take your consent back: nothing leaves until you agree to the plan again."""
    if not yes and sys.stdin.isatty():
        typer.confirm("Take your consent back? A round under way is dropped", abort=True)
    asyncio.run(_client(context).withdraw())
    _say(_home(context), "the consent is removed; to agree again: fedtui join")


# ---- small parts ------------------------------------------------------------------------------


def moment(text: str, now: datetime) -> datetime:
    """The next time that the clock of `now` shows HH:MM. Raises Stop."""
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text)
    if not found:
        raise Stop(f"{text!r} is no time", remedy="write it like 18:00", exit_code=Exit.USAGE)
    then = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
    return then if then > now else then + timedelta(days=1)


def after(text: str, now: datetime) -> datetime:
    """The moment this long after `now`: 30m, 2h, 1d. Raises Stop."""
    found = re.fullmatch(r"(\d{1,4})([mhd])", text)
    if not found or not int(found[1]):
        raise Stop(
            f"{text!r} is no length of time",
            remedy="write it like 30m, 2h or 1d",
            exit_code=Exit.USAGE,
        )
    return now + timedelta(seconds=int(found[1]) * _SPAN_S[found[2]])


def _checked(limits: Limits, given: Mapping[str, object]) -> Limits:
    """The limits with what was given. Raises Stop if they cannot be."""
    try:
        changed = msgspec.convert(msgspec.structs.asdict(limits) | dict(given), Limits)
        trouble = configs.trouble_with(changed)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        raise Stop(
            f"{place.rstrip('`')}: {what}",
            remedy="see 'fedtui limit --help'",
            exit_code=Exit.USAGE,
        ) from error
    if trouble is not None:
        raise Stop(": ".join(trouble), remedy="see 'fedtui limit --help'", exit_code=Exit.USAGE)
    return changed


def _home(context: typer.Context) -> Profile:
    home: Profile = context.obj
    return home


def _client(context: typer.Context) -> ControlClient:
    return ControlClient(_home(context).control())


def _say(home: Profile, text: str) -> None:
    """To the operator, on stderr; commands in it are those of the profile at hand."""
    typer.echo(printing.for_profile(text, home.name), err=True)
