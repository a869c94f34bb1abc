"""`fedtui join`: from an invite, or a verified key, to a member, with the operator's eyes open.

    read the invite, or verify the key at an address (cli_join_at.py), and write node.toml
    -> start the node -> it connects and fetches the plan
    -> show what would leave, check task and data here -> yes or no -> wait for approval

Nothing about the operator's data is said before they agreed, and the invite never stands in a
command line: others could read it there.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fedtui import errors
from fedtui.control.client import ControlClient
from fedtui.control.clock import utc
from fedtui.crypto.words import words
from fedtui.status import Setup
from fedtui.wire.invite import Invite
from node import (
    choices,
    cli_join_at,
    entering,
    keystore,
    launch,
    own_strategies,
    passphrase,
    printing,
)
from node import config as configs
from node.exits import Exit, Stop, of_close_code
from node.tasks import add as add_task

if TYPE_CHECKING:
    from fedtui.status import NodeStatus, PlanSummary
    from node.paths import Profile

SETTLED = {
    *("pending", "waiting", "paused", "resting"),
    *("training", "masking", "uploading", "confirming", "evaluating"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How the operator wants to be asked. `accept` is a plan hash or empty."""

    accept: str
    yes: bool
    wait: bool
    timeout_s: float
    as_json: bool


def join(
    context: typer.Context,
    invite_file: Annotated[
        Path | None, typer.Option(help="File with the invite; '-' is stdin.", metavar="FILE")
    ] = None,
    at: Annotated[
        str,
        typer.Option(help="Without an invite: the coordinator's address.", metavar="HOST:PORT"),
    ] = "",
    fingerprint: Annotated[
        str, typer.Option(help="With --at: its whole fingerprint, from its operator's screen.")
    ] = "",
    data: Annotated[str | None, typer.Option(help="Your data: a file or folder.")] = None,
    split: Annotated[
        str | None,
        typer.Option(help="How shared data is cut: iid, dirichlet:A, shards:K, quantity:A, FILE."),
    ] = None,
    shard: Annotated[str | None, typer.Option(help="Which part of it is yours: I/N.")] = None,
    split_seed: Annotated[int | None, typer.Option(min=0, help="Seed of the split.")] = None,
    role: Annotated[str | None, typer.Option(help="participant, evaluator or observer.")] = None,
    label: Annotated[str | None, typer.Option(help="How others see this node.")] = None,
    accept: Annotated[
        str, typer.Option(help="Agree to exactly this plan, unasked.", metavar="PLAN_HASH")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Agree to whatever plan.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of the trainer.")] = None,
    visible: Annotated[
        bool | None,
        typer.Option(
            "--visible/--masked",
            help="Take part also if the coordinator can read each update of yours.",
            show_default=False,
        ),
    ] = None,
    task_file: Annotated[
        Path | None, typer.Option(help="Your own task, as 'fedtui task add'.", metavar="FILE")
    ] = None,
    strategy_file: Annotated[
        Path | None,
        typer.Option(help="The plan's own strategy, as 'fedtui strategy add'.", metavar="FILE"),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Return only when approved.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to reach the coordinator.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON at the end.")] = False,
) -> None:
    """Join a federation, or take up an edited node.toml or a changed plan."""
    home: Profile = context.obj
    home.create()
    if fingerprint and not at:
        raise Stop("--fingerprint goes with --at HOST:PORT", exit_code=Exit.USAGE)
    if at and invite_file is not None:
        raise Stop("an invite names its coordinator: leave --at out", exit_code=Exit.USAGE)
    found = cli_join_at.verified(home, at, fingerprint) if at else None
    text = "" if at else _read_invite(home, invite_file)
    invite = Invite.parse(text) if text else None
    if task_file is not None:
        add_task(home, task_file)
    if strategy_file is not None:
        own_strategies.add(home, strategy_file)
    old = configs.load(home.config)
    choice = Setup(
        data=None if data is None else _absolute(data),
        split=_absolute_if_file(split),
        shard=shard,
        label=label,
        role=role,
        visible=visible,
    )
    new = choices.with_setup(old, choice, split_seed=split_seed, threads=threads)
    new = entering.with_invite(home, new, invite, say=_say)
    if found is not None:
        new = entering.with_verified(home, new, found, now_s=utc())
    if new != old or not home.config.exists():
        configs.save(home.config, new)
    wishes = Wishes(accept=accept.lower(), yes=yes, wait=wait, timeout_s=timeout, as_json=as_json)
    _join(home, text, wishes)


def _join(home: Profile, invite: str, wishes: Wishes) -> None:
    started = asyncio.run(_run_node(home))
    client = ControlClient(home.control())
    if sys.stderr.isatty():
        addresses = configs.load(home.config).coordinator.addresses
        _say(f"connecting to {', '.join(addresses) or 'the coordinator'} ...")
    try:
        seen = asyncio.run(_approach(client, invite, wishes.timeout_s))
        if not seen.consented:
            _decide(client, seen, wishes)
            seen = asyncio.run(_until(client, SETTLED, wishes.timeout_s))
    except BaseException:
        if started:  # a join that failed leaves nothing behind that runs
            asyncio.run(launch.stop(home))
        raise
    if seen.state == "pending":
        _say(
            f"waiting for approval by the coordinator's operator:\n"
            f"  fingerprint  {seen.fingerprint}"
        )
        if not wishes.as_json:  # half a second of work for eyes, which a script has not
            _say(f"  words        {' '.join(words(bytes.fromhex(seen.node_id)))}")
        if wishes.wait:
            seen = asyncio.run(_until(client, SETTLED - {"pending"}, None))
    if wishes.as_json:
        typer.echo(msgspec.json.encode(seen).decode())
    _say(f"{seen.state}: {seen.sentence}")
    text = f"the node runs in the background (pid {seen.pid}): fedtui status, fedtui stop"
    _say(printing.for_profile(text, home.name))


async def _run_node(home: Profile) -> bool:
    """Have a daemon; True if it was started here. One that runs takes up new limits by itself."""
    if await launch.is_running(home):
        return False
    return await launch.ensure_running(home, ask_passphrase(home))


async def _approach(client: ControlClient, invite: str, timeout_s: float) -> NodeStatus:
    """Connect; wait for a plan to decide on, or for a member that has agreed before."""
    await client.join(invite)
    return await _until(client, {*SETTLED, "asking"}, timeout_s, plan=True)


def _decide(client: ControlClient, seen: NodeStatus, wishes: Wishes) -> None:
    """Show, check, ask; consent or raise Stop."""
    plan = seen.plan
    if plan is None:
        raise Stop("the coordinator sent no plan", exit_code=Exit.PROTOCOL)
    if seen.coordinator is not None:
        _say(f"coordinator  {seen.coordinator.address}, {seen.coordinator.fingerprint}")
    _say(printing.plan_text(plan))
    _refuse_other_hash(plan, wishes)
    if not (wishes.accept or wishes.yes or sys.stdin.isatty()):
        raise Stop(
            "nobody is here to say yes to this plan",
            remedy=f"if you agree: fedtui join --accept {plan.plan_hash}",
            exit_code=Exit.USAGE,
        )
    _say("\nchecking task and data on this machine (nothing is sent) ...")
    report = asyncio.run(client.check())
    rest = printing.check_text(msgspec.structs.replace(report, problems=report.problems[1:]))
    if rest:  # the first problem ends the command, with its remedy
        _say(rest)
    if report.problems:
        raise Stop(
            f"this machine cannot take part: {report.problems[0]}",
            remedy="mend that, then: fedtui join --data PATH",
            exit_code=report.exit_code or Exit.BAD_DATA,
        )
    asked = not (wishes.accept or wishes.yes)
    if asked and not typer.confirm("Agree, for all rounds of this plan?", err=True):
        raise Stop(
            "you did not agree: nothing of your data was sent; the coordinator knows this node's "
            "key, name and address, and the invite is used up",
            exit_code=Exit.REFUSED,
        )
    asyncio.run(client.consent(plan.plan_hash))


def _refuse_other_hash(plan: PlanSummary, wishes: Wishes) -> None:
    if wishes.accept and wishes.accept != plan.plan_hash:
        raise Stop(
            f"the plan is another than you accept\n  you accept:       {wishes.accept}\n"
            f"  coordinator has:  {plan.plan_hash}",
            remedy="read the plan above; if you agree to it, accept that hash",
            exit_code=Exit.REFUSED,
        )


async def _until(
    client: ControlClient, states: set[str], timeout_s: float | None, *, plan: bool = False
) -> NodeStatus:
    """Wait for one of these states. Raises Stop if the node gave up or the time is over."""
    seen: NodeStatus | None = None
    said: set[str] = set()
    try:
        async with asyncio.timeout(timeout_s):
            async for seen in client.watch():
                if seen.state == "stopped" and seen.problem:
                    raise Stop(
                        seen.problem.text,
                        remedy=seen.problem.remedy,
                        exit_code=_exit_code(seen.problem.code),
                    )
                if seen.state in states and (seen.plan or not plan):
                    return seen
                if _is_away(seen) and seen.sentence not in said and sys.stderr.isatty():
                    said.add(seen.sentence)
                    _say(f"{seen.sentence} ...")
                if seen.final:
                    return seen
    except TimeoutError as error:
        why = seen.sentence if seen else "the node does not answer"
        raise Stop(
            f"not joined after {timeout_s:g} s: {why}",
            remedy="check address and network, then: fedtui join (with the invite)",
            exit_code=Exit.UNREACHABLE,
        ) from error
    raise Stop("the node ended", exit_code=Exit.NOT_RUNNING)


def _is_away(seen: NodeStatus) -> bool:
    return seen.state == "connecting" and seen.sentence.startswith("no connection")


def _exit_code(code: int) -> int:
    return of_close_code(code) if code else Exit.REFUSED


# ---- the invite and node.toml -----------------------------------------------------------------


def _read_invite(home: Profile, file: Path | None) -> str:
    """The invite's text; empty if this node is a member already and none is given."""
    if file is not None and str(file) != "-":
        text = file.read_text(encoding="utf-8", errors="replace").strip()
        if not text:
            raise Stop(
                f"{file} is empty: there is no invite in it",
                remedy="ask the coordinator's operator for the invite again",
                exit_code=Exit.BAD_DATA,
            )
        return text
    if file is not None:
        return sys.stdin.read(4096).strip()
    if configs.load(home.config).coordinator.id:
        return ""
    if sys.stdin.isatty():
        return str(typer.prompt("Paste the invite", hide_input=True, err=True)).strip()
    text = sys.stdin.read(4096).strip()
    if not text:
        raise Stop(
            "no invite",
            remedy="fedtui join --invite-file FILE, or paste it at the prompt; if there is none: "
            "fedtui discover, fedtui join --at HOST:PORT",
            exit_code=Exit.USAGE,
        )
    return text


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _absolute_if_file(split: str | None) -> str | None:
    return _absolute(split) if split and Path(split).expanduser().exists() else split


def ask_passphrase(home: Profile) -> str | None:
    """The passphrase of a locked identity; None if it has none, or the daemon finds it itself."""
    try:
        locked = keystore.is_locked(home.root) if home.identity.exists() else False
    except errors.KeyFileError as error:
        raise Stop(str(error), exit_code=Exit.NO_PERMISSION) from error
    if not locked or passphrase.from_file() is not None or not sys.stdin.isatty():
        return None
    return str(typer.prompt("Passphrase of this node's identity", hide_input=True, err=True))


def _say(text: str) -> None:
    typer.echo(text, err=True)
