"""Every command of the coordinator's screen, in one table: keys, footer, help, palette. Pure.

A command says why it cannot be given now, in words. Its `twin` is the same on the command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.status.coordinator import InviteLine, NodeRow
    from fedtui.tui.coordinator.state import View

PANES = ("nodes", "model", "health", "invites", "alarms", "events")
PANE_TITLES = ("Nodes", "Global model", "Round health", "Invites", "Alarms", "Events")


@dataclass(frozen=True, slots=True)
class Scene:
    """What a command is given in: the view, and what the cursors are on."""

    view: View
    node: NodeRow | None = None
    invite: InviteLine | None = None
    pane: str = "nodes"


def _always(_: Scene) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`footer` 0 means not in the footer, 1 is the last to go."""

    id: str
    title: str
    keys: tuple[str, ...]
    short: str = ""
    footer: int = 0
    help: str = ""
    twin: str = ""
    why_not: Callable[[Scene], str] = _always


def _answering(scene: Scene) -> str:
    if scene.view.board is None or scene.view.lost is not None:
        return "the coordinator does not answer"
    return ""


def _living(scene: Scene) -> str:
    board = scene.view.board
    ended = board is not None and board.ended is not None
    return _answering(scene) or ("the federation is over" if ended else "")


def _asking(scene: Scene) -> str:
    if _answering(scene):
        return _answering(scene)
    waits = scene.node is not None and scene.node.state == "pending"
    return "" if waits or scene.view.pending else "no node waits for approval"


def _with_node(scene: Scene) -> str:
    return _answering(scene) or ("" if scene.node is not None else "no node is chosen")


def _revocable(scene: Scene) -> str:
    if _answering(scene):
        return _answering(scene)
    if scene.pane == "invites":
        is_open = scene.invite is not None and scene.invite.state == "open"
        return "" if is_open else "no open invite is chosen"
    if scene.node is None:
        return "no node is chosen"
    return "" if scene.node.state in {"pending", "enrolled"} else "this node is out already"


def _here(scene: Scene) -> str:
    if _with_node(scene):
        return _with_node(scene)
    return "" if scene.node is not None and scene.node.connected else "this node is not connected"


def _running(scene: Scene) -> str:
    board = scene.view.board
    return _living(scene) or ("paused already" if board is not None and board.paused else "")


def _paused(scene: Scene) -> str:
    board = scene.view.board
    return _living(scene) or ("" if board is not None and board.paused else "not paused")


def _can_begin(scene: Scene) -> str:
    board = scene.view.board
    if _living(scene) or board is None:
        return _living(scene)
    if board.can_begin:
        return ""
    return "paused" if board.paused else f"no round can begin now: {board.text}"


def _alarmed(scene: Scene) -> str:
    return "" if scene.view.num_unseen else "no alarm"


COMMANDS: tuple[Command, ...] = (
    *(
        Command(
            id=f"pane.{name}",
            title=f"Go to {title}",
            keys=(str(number),),
        )
        for number, (name, title) in enumerate(zip(PANES, PANE_TITLES, strict=True), start=1)
    ),
    Command(
        id="approve",
        title="Approve the node that asks",
        keys=("a",),
        short="Approve",
        footer=2,
        help="its fingerprint and words are shown first",
        twin="fedtui-coordinator nodes approve FINGERPRINT",
        why_not=_asking,
    ),
    Command(
        id="reject",
        title="Reject the node that asks",
        keys=("r",),
        short="Reject",
        footer=5,
        help="turn it away; its key cannot ask again",
        twin="fedtui-coordinator nodes reject FINGERPRINT",
        why_not=_asking,
    ),
    Command(
        id="revoke",
        title="Revoke the chosen node, or invite",
        keys=("v",),
        short="Revoke",
        footer=8,
        help="for good; in the pane Invites: take the invite back",
        twin="fedtui-coordinator nodes revoke FINGERPRINT, invites revoke ID",
        why_not=_revocable,
    ),
    Command(
        id="evict",
        title="Evict the chosen node from the round",
        keys=("k",),
        short="Evict",
        footer=9,
        help="it may come back for the next one",
        twin="fedtui-coordinator nodes evict FINGERPRINT",
        why_not=_here,
    ),
    Command(
        id="invite",
        title="New invite",
        keys=("i",),
        short="Invite",
        footer=4,
        help="shown once, with a code to scan",
        twin="fedtui-coordinator invite",
        why_not=_answering,
    ),
    Command(
        id="pause",
        title="Pause rounds",
        keys=("P",),
        short="Pause",
        footer=6,
        help="no new round begins; the one under way is finished",
        twin="fedtui-coordinator pause",
        why_not=_running,
    ),
    Command(
        id="resume",
        title="Resume rounds",
        keys=("P",),
        short="Resume",
        footer=6,
        help="rounds go on",
        twin="fedtui-coordinator resume",
        why_not=_paused,
    ),
    Command(
        id="next",
        title="Next round now",
        keys=("n",),
        short="Round now",
        footer=7,
        help="with the nodes that are here, without waiting for more",
        twin="fedtui-coordinator next",
        why_not=_can_begin,
    ),
    Command(
        id="details",
        title="Details of the chosen node",
        keys=("enter",),
        help="fingerprint, words, what it moved, what nobody sees",
        twin="fedtui-coordinator nodes list --json",
        why_not=_with_node,
    ),
    Command(
        id="copy",
        title="Copy the chosen fingerprint, or id of an invite",
        keys=("y",),
        help="through the terminal (OSC 52), also over ssh",
    ),
    Command(
        id="acknowledge",
        title="Acknowledge the alarms",
        keys=("exclamation_mark",),
        short="Seen",
        footer=10,
        help="they stay in the list",
        why_not=_alarmed,
    ),
    Command(
        id="export",
        title="Export nodes, rounds and events",
        keys=("e",),
        short="Export",
        footer=11,
        help="CSV and JSON lines, in a folder of its own",
        twin="fedtui-coordinator status --json",
    ),
    Command(
        id="filter",
        title="Filter",
        keys=("slash",),
        short="Filter",
        footer=12,
        help="show only what holds a text; Esc clears it",
    ),
    Command(id="former", title="Show nodes that are out", keys=("o",), help="or hide them again"),
    Command(id="zoom", title="Zoom the focused pane", keys=("z",), help="z or Esc goes back"),
    Command(id="freeze", title="Freeze the display", keys=("f",), help="what comes is kept"),
    Command(id="theme", title="Next theme", keys=("t",), help="dark, light, high contrast"),
    Command(
        id="stop",
        title="Stop the coordinator",
        keys=("S",),
        help="ends the program, not the federation; asks first",
        twin="fedtui-coordinator stop",
        why_not=_answering,
    ),
    Command(
        id="help",
        title="Help",
        keys=("question_mark", "f1"),
        short="Help",
        footer=3,
        help="all keys",
    ),
    Command(id="palette", title="All commands", keys=("ctrl+p", "colon"), help="by name"),
    Command(
        id="detach",
        title="Detach",
        keys=("q", "ctrl+c"),
        short="Detach",
        footer=1,
        help="close the screen; the coordinator keeps working",
    ),
)
BY_ID = {command.id: command for command in COMMANDS}


def footer(scene: Scene, most: int) -> tuple[Command, ...]:
    """The commands to show at the bottom, in table order: those that can be given now."""
    possible = [one for one in COMMANDS if one.footer and not one.why_not(scene)]
    ranked = sorted(possible, key=lambda one: one.footer)[:most]
    return tuple(one for one in possible if one in ranked)
