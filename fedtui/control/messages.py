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

from fedtui.status import (
    CheckReport,
    Event,
    FoundCoordinator,
    InviteSeen,
    LedgerLine,
    Limits,
    LogLine,
    NodeStatus,
    PastRound,
    ProbedCoordinator,
    Setup,
)

PROTO = 2
MAX_LINE_BYTES = 2**20

CommandName = Literal[
    "status",
    "discover",
    "probe",
    "read_invite",
    "setup",
    "join",
    "join_at",
    "check",
    "consent",
    "withdraw",
    "pause",
    "resume",
    "stop_sharing",
    "limit",
    "retry",
    "acknowledge",
    "rotate_key",
    "leave",
    "stop",
    "ledger",
    "log",
    "history",
    "words",
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
    """`text` is the invite, the plan hash of consent, or the address of probe and join_at.

    `other` is the coordinator's id of join_at, `number` the alarm's id of acknowledge, `until`
    UTC seconds of pause; `limit` is for ledger, log and history.
    """

    id: Id
    name: CommandName
    text: Annotated[str, msgspec.Meta(max_length=4096)] = ""
    other: Annotated[str, msgspec.Meta(max_length=128)] = ""
    number: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    until: Annotated[float, msgspec.Meta(ge=0, le=2**53)] = 0.0
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    limits: Limits | None = None
    choice: Setup | None = None
    after_round: bool = False
    forget: bool = False

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
    history: tuple[PastRound, ...] = ()
    found: tuple[FoundCoordinator, ...] = ()
    probed: ProbedCoordinator | None = None
    invite: InviteSeen | None = None
    words: tuple[str, ...] = ()


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
