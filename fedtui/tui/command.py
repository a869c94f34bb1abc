"""Command: one thing that the operator can ask for, and when it cannot be given. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.tui.view import View

Group = Literal["screens", "node", "trust", "display", "program"]


def always(_: View) -> str:
    """Nothing is in the way."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`id` is stable and remappable; `footer` 0 means not in the footer, 1 is the last to go.

    `argument` is handed to what performs the command `does` (its own id if empty).
    """

    id: str
    title: str
    keys: tuple[str, ...] = ()
    short: str = ""
    footer: int = 0
    help: str = ""
    twin: str = ""
    group: Group = "node"
    does: str = ""
    argument: str = ""
    why_not: Callable[[View], str] = always

    @property
    def performs(self) -> str:
        return self.does or self.id


def joined(view: View) -> str:
    """There is a federation that it is about."""
    return "" if view.status.plan is not None else "not in a federation"


def commandable(view: View) -> str:
    """There is a node that obeys."""
    if view.lost_at is not None:
        return "the node does not answer"
    return view.read_only


def member(view: View) -> str:
    """The node obeys, and is in a federation."""
    return commandable(view) or joined(view)


def running(view: View) -> str:
    """The node works, so that it can be paused."""
    if member(view):
        return member(view)
    return "paused already" if view.status.state == "paused" else ""


def paused(view: View) -> str:
    """The node is paused, so that it can go on."""
    return member(view) or ("" if view.status.state == "paused" else "not paused")


def offline(view: View) -> str:
    """The coordinator cannot be reached."""
    return commandable(view) or ("" if view.status.offline_since else "connected")


def alarmed(view: View) -> str:
    """An alarm waits."""
    waiting = any(not one.acknowledged for one in view.status.alarms)
    return commandable(view) or ("" if waiting else "no alarm")
