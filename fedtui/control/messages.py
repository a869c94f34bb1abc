"""The control protocol: JSON lines over a UNIX socket, one object a line, at most 1 MiB.

::

    node   -> screen   hello     who the node is, and the protocol it speaks
    screen -> node     attach    may ask to watch, from the event after `since`
    node   -> screen   snapshot | event*        if it watches; events carry the next `seq`
    screen -> node     cmd       one of CommandName
    node   -> screen   ack | err one for each command, by `id`; commands may overlap

A screen that comes back names the last `seq` it saw: it gets the events since then, or a snapshot
if the node no longer has them or was restarted. A screen that reads too slowly gets a snapshot
instead of the events it missed. If the protocols differ, a screen may look but not command.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from fedtui.status import CheckReport, Event, LedgerLine, LogLine, NodeStatus

PROTO = 1
MAX_LINE_BYTES = 2**20

CommandName = Literal[
    "status",
    "join",
    "check",
    "consent",
    "pause",
    "resume",
    "rotate_key",
    "leave",
    "stop",
    "ledger",
    "log",
]
Id = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class ControlError(Exception):
    """What came over the control socket is not this protocol."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag=str.lower, tag_field="type"):
    """One line."""


class Hello(_Message, frozen=True):
    """First line of the node."""

    proto: int
    node: str
    version: str
    pid: int
    started_at: float


class Attach(_Message, frozen=True):
    """First line of a screen. `since`: the last event it knows, None to start from a snapshot."""

    proto: int
    watch: bool = False
    since: int | None = None


class Snapshot(_Message, frozen=True):
    status: NodeStatus


class Happened(_Message, frozen=True, tag="event"):
    event: Event


class Command(_Message, frozen=True, tag="cmd"):
    """`text` is the invite of join or the plan hash of consent; `limit` is for ledger and log."""

    id: Id
    name: CommandName
    text: Annotated[str, msgspec.Meta(max_length=4096)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 100

    def __repr__(self) -> str:
        """Without `text`: it may be an invite, and a representation ends up in logs."""
        return f"Command(id={self.id}, name={self.name!r})"


class Ack(_Message, frozen=True):
    """The command was carried out; what it asked for is in the field that belongs to it."""

    id: Id
    status: NodeStatus | None = None
    check: CheckReport | None = None
    ledger: tuple[LedgerLine, ...] = ()
    log: tuple[LogLine, ...] = ()


class Err(_Message, frozen=True):
    """The command was refused: what was wrong, what to do, and the exit code of a command."""

    id: Id
    text: str
    remedy: str = ""
    exit_code: int = 1


FromScreen = Attach | Command
FromNode = Hello | Snapshot | Happened | Ack | Err

_ENCODER = msgspec.json.Encoder()
_FROM_SCREEN: msgspec.json.Decoder[FromScreen] = msgspec.json.Decoder(FromScreen)
_FROM_NODE: msgspec.json.Decoder[FromNode] = msgspec.json.Decoder(FromNode)


def encode(message: FromScreen | FromNode) -> bytes:
    """One line, newline included."""
    return _ENCODER.encode(message) + b"\n"


def decode_from_screen(line: bytes) -> FromScreen:
    """Read what a screen sent, or raise ControlError."""
    try:
        return _FROM_SCREEN.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ControlError(f"not a control message: {str(error)[:200]}") from error


def decode_from_node(line: bytes) -> FromNode:
    """Read what a node sent, or raise ControlError."""
    try:
        return _FROM_NODE.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ControlError(f"not a control message: {str(error)[:200]}") from error
