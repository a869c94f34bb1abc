"""`nodes`: who takes part; letting in, turning away, putting out."""

from pathlib import Path
from typing import Annotated

import typer

from coordinator import adminclient
from coordinator.answers import NodeLine
from coordinator.asks import AskApprove, AskEvict, AskNodes, AskReject, AskRevoke
from coordinator.cli_options import Dir, Json, layout_of, show
from coordinator.outcomes import AboutNode, sentence

Fingerprint = Annotated[str, typer.Argument(help="The node's whole fingerprint.")]

nodes_app = typer.Typer(
    help="List the nodes, let one in, put one out.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@nodes_app.callback()
def nodes(context: typer.Context, directory: Dir = None, as_json: Json = False) -> None:
    """List every node that ever came. The other commands act on one."""
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
    _act(AskApprove(fingerprint=node), directory or context.obj, as_json=as_json)


@nodes_app.command()
def reject(
    context: typer.Context, node: Fingerprint, directory: Dir = None, as_json: Json = False
) -> None:
    """Turn away a node that waits. It can only ask again with a new key and invite."""
    _act(AskReject(fingerprint=node), directory or context.obj, as_json=as_json)


@nodes_app.command()
def evict(
    context: typer.Context, node: Fingerprint, directory: Dir = None, as_json: Json = False
) -> None:
    """Put a node out of the round under way. It may come back for the next one."""
    _act(AskEvict(fingerprint=node), directory or context.obj, as_json=as_json)


@nodes_app.command()
def revoke(
    context: typer.Context, node: Fingerprint, directory: Dir = None, as_json: Json = False
) -> None:
    """Put a node out, at once and for good. It can only come back with a new key and invite."""
    _act(AskRevoke(fingerprint=node), directory or context.obj, as_json=as_json)


def _act(ask: AboutNode, directory: Path | None, *, as_json: bool) -> None:
    line = adminclient.ask(layout_of(directory), ask, NodeLine)
    show(line, sentence(ask, line), as_json=as_json)


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
        asks = "  (no invite)" if line.state == "pending" and line.invite is None else ""
        bad = f"  (in {line.bad_groups} bad groups of {line.groups}" if line.bad_groups else ""
        bad += ": suspect)" if line.suspect else ")" if bad else ""
        rows.append(
            f"{line.fingerprint}  {line.state:<9} {here:<5} {line.role:<12} {line.label}"
            f"{asks}{bad}"
        )
    return "\n".join(rows)
