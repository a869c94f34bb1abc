"""`invite` and `nodes`: who may take part."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from coordinator import adminclient
from coordinator.answers import MadeInvite, NodeLine
from coordinator.asks import AskApprove, AskInvite, AskNodes, AskRevoke, Role
from coordinator.cli_options import Dir, Json, layout_of, show
from coordinator.refusals import BadRequestError

Fingerprint = Annotated[str, typer.Argument(help="The node's whole fingerprint.")]

nodes_app = typer.Typer(
    help="List the nodes, let one in, put one out.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


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
    layout = layout_of(directory)
    if adminclient.is_running(layout):
        made = adminclient.ask(layout, ask, MadeInvite)
    else:
        from coordinator import offline  # noqa: PLC0415  brings the database with it

        made = offline.invite(layout, ask)
    if not as_json:
        until = datetime.fromtimestamp(made.expires, UTC)
        typer.echo(
            f"for {_counted(made.uses, made.role)}, until {until:%Y-%m-%d %H:%M} UTC, reached at "
            f"{', '.join(made.addresses)}",
            err=True,
        )
    show(made, made.invite, as_json=as_json)


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


@nodes_app.callback()
def nodes(context: typer.Context, directory: Dir = None, as_json: Json = False) -> None:
    """List every node that ever came. 'approve' and 'revoke' act on one."""
    context.obj = directory
    if context.invoked_subcommand is None:
        _list(directory, as_json=as_json)


@nodes_app.command("list")
def list_nodes(context: typer.Context, directory: Dir = None, as_json: Json = False) -> None:
    """List every node that ever came."""
    _list(directory or context.obj, as_json=as_json)


@nodes_app.command()
def approve(
    context: typer.Context, node: Fingerprint, directory: Dir = None, as_json: Json = False
) -> None:
    """Let a waiting node in. Compare its fingerprint with the one on the node's own screen."""
    layout = layout_of(directory or context.obj)
    line = adminclient.ask(layout, AskApprove(fingerprint=node), NodeLine)
    show(line, f"{line.label or line.fingerprint} is enrolled as {line.role}", as_json=as_json)


@nodes_app.command()
def revoke(
    context: typer.Context, node: Fingerprint, directory: Dir = None, as_json: Json = False
) -> None:
    """Put a node out, at once and for good. It can only come back with a new key and invite."""
    layout = layout_of(directory or context.obj)
    line = adminclient.ask(layout, AskRevoke(fingerprint=node), NodeLine)
    show(line, f"{line.label or line.fingerprint} is out", as_json=as_json)


def _list(directory: Path | None, *, as_json: bool) -> None:
    layout = layout_of(directory)
    if adminclient.is_running(layout):
        lines = adminclient.ask(layout, AskNodes(), list[NodeLine])
    else:
        from coordinator import offline  # noqa: PLC0415  brings the database with it

        lines = offline.nodes(layout)
    show(lines, _table(lines), as_json=as_json)


def _table(lines: list[NodeLine]) -> str:
    if not lines:
        return "no node came yet; 'fedtui-coordinator invite' makes an invite"
    rows = []
    for line in sorted(lines, key=lambda each: (each.state != "pending", each.created)):
        here = "here" if line.connected else "away"
        rows.append(f"{line.fingerprint}  {line.state:<9} {here:<5} {line.role:<12} {line.label}")
    return "\n".join(rows)
