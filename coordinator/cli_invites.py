"""`invite` and `invites`: making invites, listing them, taking them back."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from coordinator import adminclient
from coordinator.answers import Done
from coordinator.asks import AskInvite, AskInvites, AskRevokeInvite, Role
from coordinator.cli_options import Dir, Json, layout_of, show
from coordinator.layout import Layout
from coordinator.refusals import BadRequestError, LockedError
from fedtui.status.coordinator import InviteLine, MadeInvite

invites_app = typer.Typer(
    help="List the invites, take one back.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

ID_BYTES = 8
STARTING_S = 15.0
LOOK_EVERY_S = 0.1


def invite(
    directory: Dir = None,
    *,
    role: Annotated[
        str, typer.Option(help="participant (trains), evaluator (measures) or observer.")
    ] = "participant",
    label: Annotated[str, typer.Option(help="A hint for you, such as a name.")] = "",
    hours: Annotated[
        float | None, typer.Option(min=0.01, max=8760, help="How long it is good.")
    ] = None,
    uses: Annotated[int, typer.Option(min=1, max=10_000, help="For how many nodes.")] = 1,
    auto_approve: Annotated[
        bool, typer.Option("--auto-approve", help="Whoever holds it is in at once.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print an invite: one line to hand to a node's operator over a way you trust. Shown once."""
    ask = AskInvite(
        role=_role(role), label=label, hours=hours, uses=uses, auto_approve=auto_approve
    )
    made = _made(layout_of(directory), ask)
    if not as_json:
        until = datetime.fromtimestamp(made.expires, UTC)
        typer.echo(
            f"for {_counted(made.uses, made.role)}, until {until:%Y-%m-%d %H:%M} UTC, reached at "
            f"{', '.join(made.addresses)}",
            err=True,
        )
    show(made, made.invite, as_json=as_json)


def _made(layout: Layout, ask: AskInvite) -> MadeInvite:
    """By the coordinator, or under its lock; one that is just starting is waited for."""
    give_up = time.monotonic() + STARTING_S
    while not adminclient.is_running(layout):
        from coordinator import offline  # noqa: PLC0415  brings the database with it

        try:
            return offline.invite(layout, ask)
        except LockedError:
            if time.monotonic() >= give_up:
                raise
            time.sleep(LOOK_EVERY_S)
    return adminclient.ask(layout, ask, MadeInvite)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _role(text: str) -> Role:
    match text:
        case "participant" | "evaluator" | "observer":
            return text
        case _:
            raise BadRequestError(
                f"there is no role {text!r}: it is participant, evaluator or observer"
            )


@invites_app.callback()
def invites(context: typer.Context, directory: Dir = None, as_json: Json = False) -> None:
    """List every invite, newest first; never its text. 'revoke' takes one back."""
    context.obj = directory
    if context.invoked_subcommand is None:
        _list(directory, as_json=as_json)


@invites_app.command()
def revoke(
    context: typer.Context,
    invite_id: Annotated[str, typer.Argument(help="The invite's id, 16 hex digits.")],
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Let nobody in with this invite any more. Who came with it before stays in."""
    layout = layout_of(directory or context.obj)
    try:
        number = bytes.fromhex(invite_id)
    except ValueError:
        number = b""
    if len(number) != ID_BYTES:
        raise BadRequestError(f"{invite_id[:40]!r} is no id of an invite: it is 16 hex digits")
    done = adminclient.ask(layout, AskRevokeInvite(id=number.hex()), Done)
    show(done, done.text, as_json=as_json)


def _list(directory: Path | None, *, as_json: bool) -> None:
    layout = layout_of(directory)
    if adminclient.is_running(layout):
        lines = adminclient.ask(layout, AskInvites(), list[InviteLine])
    else:
        from coordinator import offline  # noqa: PLC0415  brings the database with it

        lines = offline.invites(layout)
    show(lines, _table(lines), as_json=as_json)


def _table(lines: list[InviteLine]) -> str:
    if not lines:
        return "no invite yet; 'fedtui-coordinator invite' makes one"
    rows = []
    for line in lines:
        until = datetime.fromtimestamp(line.expires, UTC)
        how = "auto-approve" if line.auto_approve else ""
        rows.append(
            f"{line.id}  {line.state:<8} {line.uses_left:>5} left  {line.role:<12} "
            f"until {until:%Y-%m-%d %H:%M} UTC  {how:<13}{line.label}".rstrip()
        )
    return "\n".join(rows)
