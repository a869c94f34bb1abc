"""Attaching a screen: whether one can be drawn here, in which surroundings, and to what.

The same for a node's screen, a coordinator's, the demo's and a simulated node's.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

from fedtui import __version__
from fedtui.control import messages

if TYPE_CHECKING:
    from fedtui.control.messages import Hello


class Showing(Protocol):
    """What a screen keeps of its node: fedtui.tui.store.Store."""

    def lost(self) -> None: ...
    def read_only(self, why: str) -> None: ...


def has_screen() -> bool:
    """Whether a full screen can be drawn here."""
    dumb = os.environ.get("TERM", "") in {"", "dumb"}
    return sys.stdin.isatty() and sys.stdout.isatty() and not dumb


def surroundings() -> dict[str, str]:
    """The environment, with ENCODING as that of the output: what decides which signs are drawn."""
    return {**os.environ, "ENCODING": sys.stdout.encoding or "ascii"}


def attached(store: Showing, hello: Hello | None) -> None:
    """The node answers, or not; one that speaks another protocol can be looked at only."""
    if hello is None:
        store.lost()
    elif hello.proto != messages.PROTO:
        store.read_only(f"node is {hello.version}, this screen {__version__}")
    else:
        store.read_only("")
